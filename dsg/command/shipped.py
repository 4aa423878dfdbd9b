"""The configurations that come with the project, by name and from any folder."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

import dsg
from dsg.errors import UserError

SHIPPED = Path(dsg.__file__).parent.parent / "configs"
"""In a checkout, and beside the package where that is installed."""


def find_config(name: str | Path) -> Path:
    """The file that `--config` names: a path, or one of those that are shipped.

    A file that is there is taken as it is. Else `name` is that of a shipped file without its ending, as
    `portraits_inpainting_dsg`, and with its folder where several have the name, as `guidance/dsg`.

    Raises:
        UserError: if there is neither, with the nearest names, or if several shipped files have that name.
    """
    if Path(name).is_file():
        return Path(name)
    found = shipped_as(str(name))
    if len(found) == 1:
        return SHIPPED / f"{found[0]}.yaml"
    if found:
        raise UserError(f"--config: {name} is the name of {', '.join(found)}; give one of them")
    raise UserError(f"--config: no file at {name}, and none that is shipped has that name{_nearest(str(name))}")


def shipped_as(name: str) -> list[str]:
    """The shipped files of that name, as `guidance/dsg`; of a name with its folder at most one."""
    wanted = name.removesuffix(".yaml")
    return [full for full in _shipped() if wanted in (full, full.rsplit("/", 1)[-1])]


def _shipped() -> list[str]:
    return sorted(file.relative_to(SHIPPED).with_suffix("").as_posix() for file in SHIPPED.rglob("*.yaml"))


def _nearest(name: str) -> str:
    wanted = name.removesuffix(".yaml").rsplit("/", 1)[-1]
    short = {full.rsplit("/", 1)[-1]: full for full in _shipped()}
    near = [short[each] for each in get_close_matches(wanted, short, n=3)]
    return f"; the nearest are {', '.join(near)}" if near else f"; those that are shipped lie below {SHIPPED}"
