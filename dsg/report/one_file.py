"""A page in one file that needs no network: whatever it holds is escaped, and no script runs but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def one_file(
    template: str,
    packages: Sequence[str],
    style: str,
    scripts: Sequence[str],
    filters: Mapping[str, Callable[..., Any]],
    content: Mapping[str, Any],
) -> str:
    """The page of a template that extends one_file.html.

    Args:
        template: its name, as `report.html`.
        packages: that have a folder `templates`, where it and the other files are looked for, one after the other.
        style: its own style sheet, which follows page.css.
        scripts: its scripts, in their order; the page's policy knows them by their hash.
        filters: of the template, beside jinja's.
        content: what the template is told.
    """
    templates = ChoiceLoader([PackageLoader(package) for package in packages])
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= filters
    sheets, parts = (
        [templates.get_source(environment, name)[0] for name in names] for names in (("page.css", style), scripts)
    )
    script = "\n".join(['"use strict";', *parts])
    return environment.get_template(template).render(
        content,
        style=Markup("\n".join(sheets)),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )
