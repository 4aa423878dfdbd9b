"""Which code makes a run: this project's, and the files of classes that come from outside."""

from __future__ import annotations

import hashlib
import inspect
import pkgutil
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROJECT = "train-free-guidance-evaluation"
ROOT = Path(__file__).parents[2]
PARTS = ("dsg", "tasks", "callbacks", "train_free_eval.py")


@cache
def project_code() -> dict[str, str | None]:
    """`version` of the package, `git` commit with `-dirty` behind it where files differ from it (None where this is no
    checkout), and `sources`, a hash of all Python files.

    It is taken once a process, as the code is.
    """
    return {"version": project_version(), "git": git_state(ROOT), "sources": hash_of_sources(ROOT)}


def project_version() -> str | None:
    """That of the installed package, or of the checkout's pyproject.toml where nothing is installed."""
    try:
        return version(PROJECT)
    except PackageNotFoundError:
        project = ROOT / "pyproject.toml"
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"] if project.is_file() else None


def git_state(root: Path) -> str | None:
    """The commit that is checked out at `root`; None where `root` is not the top of a checkout, as an environment
    inside somebody's repository is not.
    """
    try:
        top, commit = _git(root, "rev-parse", "--show-toplevel", "HEAD").splitlines()
        if not Path(top).samefile(root):
            return None
        return commit + "-dirty" * bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None


def hash_of_sources(root: Path) -> str:
    """Of the names and the text of the project's Python files below `root`; line ends do not count."""
    found = hashlib.sha256()
    for path in sorted(path for part in PARTS for path in _python_files(root / part)):
        text = path.read_bytes().replace(b"\r\n", b"\n")
        found.update(f"{path.relative_to(root).as_posix()}\0{len(text)}\0".encode() + text)
    return f"sha256:{found.hexdigest()}"


def own_code(settings: Any) -> dict[str, str | None]:
    """Class path: a hash of the file that defines it, of each class in `settings` that is not the project's; None
    where there is no such file.
    """
    paths = sorted({path for path in _class_paths(settings) if path.partition(".")[0] not in PARTS})
    return {path: _hash_of_file_of(path) for path in paths}


def _hash_of_file_of(class_path: str) -> str | None:
    try:
        file = inspect.getsourcefile(pkgutil.resolve_name(class_path))
        return None if file is None else f"sha256:{hashlib.sha256(Path(file).read_bytes()).hexdigest()}"
    except (ImportError, AttributeError, ValueError, TypeError, OSError):  # a class of a notebook, or of C
        return None


def _class_paths(settings: Any) -> Iterator[str]:
    if isinstance(settings, dict):
        if isinstance(path := settings.get("class_path"), str):
            yield path
        settings = list(settings.values())
    if isinstance(settings, list):
        for value in settings:
            yield from _class_paths(value)


def _python_files(path: Path) -> list[Path]:
    return list(path.rglob("*.py")) if path.is_dir() else [path] * path.is_file()


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
