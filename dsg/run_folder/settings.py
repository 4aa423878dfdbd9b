"""The settings that made a run folder, and in what others differ from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from dsg import yaml_text
from dsg.errors import UserError
from dsg.run_folder.atomic import is_temporary, write_atomically
from dsg.run_folder.lock import LOCK

SETTINGS = "config.yaml"


class SettingsFile:
    """config.yaml of a run folder.

    Args:
        folder: the run folder; made when it is first written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / SETTINGS

    def read(self) -> dict[str, Any] | None:
        """What it says; None in a folder that is new or empty.

        Raises:
            UserError: if it is damaged, or the folder holds other things.
        """
        try:
            if self.path.exists():
                if isinstance(settings := yaml_text.load(self.path.read_text(encoding="utf-8")), dict):
                    return settings
                raise yaml_text.YAMLError("no settings")
            # another run may have the lock, and be writing config.yaml at this moment
            foreign = self.folder.exists() and not all(_is_ours(path) for path in self.folder.iterdir())
        except NotADirectoryError as error:
            raise UserError(f"run_dir: {self.folder} is a file; choose another run_dir") from error
        except OSError as error:
            raise UserError(f"run_dir: cannot read {error.filename}: {error.strerror}") from error
        except (yaml_text.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"run_dir: {self.path} is damaged; restore it or choose another run_dir") from error
        if foreign:
            raise UserError(f"run_dir: {self.folder} is not empty and no run folder; choose another run_dir")
        return None

    def write(self, settings: dict[str, Any]) -> None:
        """Replace it by `settings`, plain YAML types; comments that stand above the old ones stay."""
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        content = head(text) + yaml_text.dump(settings)
        write_atomically(self.path, content.encode())


def _is_ours(path: Path) -> bool:
    """Whether `path` may lie in a run folder that has not begun: also the run of a candidate, where a comparison's
    method was tuned and is no more.
    """
    return is_temporary(path) or path.name == LOCK or ("=" in path.name and (path / SETTINGS).is_file())


def head(text: str) -> str:
    """The comment lines above the settings. In folders of before provenance.jsonl they say what made the rows."""
    return "".join(takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True)))


def measures_with_noise(settings: Any) -> bool:
    """Whether a run of these settings measures with noise: its task takes a `noise`, and that is not Gaussian with
    noise_sigma 0. A `noise` of null is the task's default, which is not known here and counts as noise. Of a sum of
    tasks it is asked of each.
    """
    for key in ("model", "task"):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return _task_has_noise(settings)


def _task_has_noise(task: Any) -> bool:
    settings = task.get("init_args") if isinstance(task, dict) else None
    if not isinstance(settings, dict):
        return False
    if isinstance(parts := settings.get("tasks"), list):
        return any(_task_has_noise(part) for part in parts)
    if "noise" not in settings:
        return False
    arguments = settings["noise"].get("init_args") if isinstance(settings["noise"], dict) else None
    return not isinstance(arguments, dict) or arguments.get("noise_sigma") != 0


def changes(old: Any, new: Any, ignored: Sequence[str], key: str = "") -> Iterator[str]:
    """What is not the same in two settings, a phrase each; `ignored` are dotted keys that may differ."""
    if key in ignored:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        # another class has other parameters: that they differ tells nothing more
        other_class = old.get("class_path") != new.get("class_path")
        for name in ["class_path"] if other_class else dict.fromkeys([*old, *new]):
            yield from changes(old.get(name), new.get(name), ignored, f"{key}.{name}" if key else str(name))
    elif old != new:
        yield f"{key} was {old!r}, now {new!r}"
