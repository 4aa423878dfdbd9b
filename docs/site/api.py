"""A page of the API for each room of the library that the navigation names, of what the room exports."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]


def on_files(files: Any, config: Any) -> Any:
    """Add api/<module>.md where the navigation has it."""
    for title, name in pages(config.nav):
        if name.startswith("api/"):
            module = name.removeprefix("api/").removesuffix(".md")
            documented = "\n".join(f"::: {module}.{name}\n" for name in exported(module))
            files.append(File.generated(config, name, content=f"# {title}\n\n`{module}`\n\n{documented}"))
    return files


def pages(entries: Any) -> Iterator[tuple[str, str]]:
    """(title, file) of each page of a navigation, however deep."""
    for entry in entries:
        for title, below in entry.items():
            yield from [(title, below)] if isinstance(below, str) else pages(below)


def exported(module: str) -> list[str]:
    """Public classes and functions by the alphabet: those of `__all__`, or else those that the file defines."""
    path = ROOT / module.replace(".", "/")
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return sorted(ast.literal_eval(node.value))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return sorted(name for name in defined if not name.startswith("_"))
