"""Who takes part: a method from outside, or one of the suite's own."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.bench.suite import Suite
from dsg.command.files import read
from dsg.command.merge import Settings, at, merge, nested
from dsg.command.options import with_options
from dsg.errors import UserError

OF_A_METHOD = ("guidance", "kernel", "combiner")
"""Sections of `model` that are the method's to state; all others are the suite's."""
ARGUMENTS = "model.guidance.init_args"


@dataclass(frozen=True)
class Entrant:
    """A method.

    Args:
        name: of its row and of its folders.
        states: chapter: what it states there, as a method of a comparison does; a chapter that is not here it leaves.
        link: where it is told what it is; empty for none.
    """

    name: str
    states: dict[str, Settings]
    link: str = ""

    @property
    def class_path(self) -> str:
        return next(found for states in self.states.values() if (found := at(states, "model.guidance.class_path")))

    @property
    def about(self) -> str:
        """What the class says of itself."""
        return inspect.getdoc(_class(self.class_path)) or ""


def own_entrants(suite: Suite, names: Sequence[str] = ()) -> list[Entrant]:
    """The methods that the suite's chapters name; of these `names`, if there are any.

    Raises:
        UserError: for a name that no chapter has.
    """
    known = dict.fromkeys(name for chapter in suite.chapters for name in chapter.methods)
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in known:
            raise UserError(f"--method: the suite {suite.name} has no {name}; there are {', '.join(known)}")
    return [
        Entrant(name, {c.name: c.methods[name] for c in suite.chapters if name in c.methods})
        for name in (names or known)
    ]


def entrant_from_outside(
    suite: Suite, guidance: str, name: str | None, tune: Sequence[str], options: Sequence[str], link: str
) -> Entrant:
    """The method that a command line names, the same in every chapter but for what its file says of one.

    Args:
        suite: that it takes part in.
        guidance: a class, `my_module.MyMethod`, or a YAML with `model.guidance`, and perhaps `tune` and `chapters`.
        name: of its row; by default the class's, or the file's.
        tune: `key=[values]` each, and `chapter:key=[values]` for one chapter; a key without a dot is an argument of
            the class.
        options: of `predict`, that begin with --model.guidance, --model.kernel or --model.combiner.
        link: where it is told what it is.

    Raises:
        UserError: for a class or a file that is not there, for what is not the method's to state, and for a `tune`
            that is none.
    """
    content = _of_file(Path(guidance)) if guidance.endswith((".yaml", ".yml")) else _of_class(guidance)
    model = with_options({"model": content["model"]}, options)["model"]
    states = {"model": model, **({"tune": content["tune"]} if content.get("tune") else {})}
    chapters: dict[str, Settings] = {c.name: merge(states, content["chapters"].get(c.name, {})) for c in suite.chapters}
    if unknown := sorted(content["chapters"].keys() - chapters.keys()):
        raise UserError(f"--guidance: the suite {suite.name} has no chapter {unknown[0]}; there are {_names(suite)}")
    for text in sorted(tune, key=_of_one_chapter):  # which wins over what is said of all
        for chapter, key, values in _tuned(text, suite):
            chapters[chapter] = merge(chapters[chapter], {"tune": {key: values}})
    found = Entrant(_checked_name(name or content["name"]), chapters, _checked_link(link))
    for chapter, stated in chapters.items():
        _check_arguments(chapter, stated)
    return found


def _check_arguments(chapter: str, stated: Settings) -> None:
    """Raise UserError for an argument that the class does not have, and for what is not the method's to tune."""
    tune = stated.get("tune") or {}
    if not isinstance(tune, dict):
        raise UserError(f"--guidance: tune in {chapter} must hold `dotted.key: [values]`, got {tune!r}")
    for key in map(str, tune):
        if not _is_of_a_method(key):
            raise UserError(f"--tune: in {chapter}, {key} is the suite's; {_may_state()}")
    class_path = str(at(stated, "model.guidance.class_path"))
    parameters = inspect.signature(_class(class_path)).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    tuned = (key.removeprefix(f"{ARGUMENTS}.") for key in map(str, tune) if key.startswith(f"{ARGUMENTS}."))
    for name in (*(at(stated, ARGUMENTS) or {}), *(key.partition(".")[0] for key in tuned)):
        if name not in parameters:
            known = ", ".join(parameters)
            raise UserError(f"--guidance: in {chapter}, {class_path} has no argument {name}; there are {known}")


def _of_class(class_path: str) -> dict[str, Any]:
    _class(class_path)
    name = class_path.rpartition(".")[2]
    return {"name": name, "model": nested("guidance.class_path", class_path), "chapters": {}}


def _of_file(file: Path) -> dict[str, Any]:
    """What a YAML says of its method; the rest, as of an experiment that it includes, is the suite's to say."""
    content = read([file])
    model = content.get("model")
    if not isinstance(model, dict) or not at(model, "guidance.class_path"):
        raise UserError(f"--guidance: {file} names no model.guidance.class_path")
    chapters = content.get("chapters") or {}
    if not isinstance(chapters, dict) or not all(isinstance(entry, dict) for entry in chapters.values()):
        raise UserError(f"--guidance: {file}: chapters must hold `chapter: {{model: ..., tune: ...}}`")
    for name, entry in chapters.items():
        of_model = entry.get("model") or {}
        if not isinstance(of_model, dict):
            raise UserError(f"--guidance: {file}: chapters.{name}.model must hold settings, got {of_model!r}")
        stated = [*(set(entry) - {"model", "tune"}), *(f"model.{key}" for key in of_model)]
        if foreign := [key for key in stated if not _is_of_a_method(str(key))]:
            raise UserError(f"--guidance: {file}: chapters.{name}.{foreign[0]} is the suite's; {_may_state()}")
    kept = {key: model[key] for key in OF_A_METHOD if model.get(key) is not None}
    return {"name": file.stem, "model": kept, "tune": content.get("tune"), "chapters": chapters}


def refuse_other_options(options: Sequence[str]) -> None:
    """Raise UserError for an option of `predict` that is the suite's to set, or of nobody, and for a lone word."""
    for option, before in zip(options, ["", *options], strict=False):
        if option.startswith("--"):
            if not _is_of_a_method(option.partition("=")[0].removeprefix("--")):
                raise UserError(f"{option}: is the suite's, or no option of bench; {_may_state()}")
        elif not before.startswith("--") or "=" in before:
            raise UserError(f"bench: what is {option!r}? name a method by --guidance; bench --help lists the options")


def _is_of_a_method(key: str) -> bool:
    return any(key == f"model.{part}" or key.startswith(f"model.{part}.") for part in OF_A_METHOD)


def _of_one_chapter(text: str) -> bool:
    return ":" in text.partition("=")[0]


def _may_state() -> str:
    return f"a method states {', '.join(f'model.{key}' for key in OF_A_METHOD)} and tune"


def _tuned(text: str, suite: Suite) -> list[tuple[str, str, Any]]:
    """(chapter, dotted key, values) of `key=[values]` and of `chapter:key=[values]`."""
    key, equals, stated = text.partition("=")
    chapter, colon, rest = key.partition(":")
    try:
        values = yaml_text.load(stated) if equals else None
    except yaml_text.YAMLError:
        values = None
    if not isinstance(values, list | dict) or not key:
        raise UserError(f"--tune: must be key=[values], as step_size=[0.1, 0.3]; got {text!r}")
    names = [c.name for c in suite.chapters]
    if colon and chapter not in names:
        raise UserError(f"--tune: the suite {suite.name} has no chapter {chapter}; there are {_names(suite)}")
    key = rest if colon else key
    full = key if "." in key else f"{ARGUMENTS}.{key}"
    return [(name, full, values) for name in ([chapter] if colon else names)]


def _names(suite: Suite) -> str:
    return ", ".join(chapter.name for chapter in suite.chapters)


def _class(class_path: str) -> type:
    """The class at `class_path`, from the current folder too."""
    try:
        found = pkgutil.resolve_name(class_path)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(
            f"--guidance: no class at {class_path} ({error}); give module.Class of a file in the current folder, "
            "or a YAML"
        ) from error
    if not isinstance(found, type):
        raise UserError(f"--guidance: {class_path} is no class; give module.Class, or a YAML")
    return found


def _checked_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.+-]*", name):
        raise UserError(f"--name: {name!r} names folders; use letters, digits and _ . + -")
    return name


def _checked_link(link: str) -> str:
    if link and not link.startswith(("https://", "http://")):
        raise UserError(f"--link: must begin with https://, got {link!r}")
    return link
