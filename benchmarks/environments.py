"""Whether the project works from nothing, for each Python and with the oldest and the newest libraries that it allows.

python -m benchmarks.environments [--pythons 3.11 3.14] [--libraries lowest newest loop] [--out FILE.md]

For each pair a new environment, with `uv`, from a wheel of this checkout. `lowest` takes of each library that
pyproject.toml names the oldest that it allows and that has a wheel for this Python; `newest` the newest; `loop` only
those of the group `loop`. In an empty folder then: `import`, CPU seconds of `from dsg.guidance import DSG` without
torch's own; `ten lines`, those of the README, with fewer steps; `command`, `train-free-eval predict` of a portrait;
`tests`, those in `TESTS`. A row of the table is an environment; the exit code is 1 if one of them failed. An
environment takes 1 to 6 GB while it is checked, and is deleted afterwards; which index is asked is uv's own settings.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from dsg.command.shipped import SHIPPED

ROOT = SHIPPED.parent
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LIBRARIES = ("lowest", "newest", "loop")
TOOLS = ("pytest", "hypothesis", "beartype", "allpairspy", "import-linter")
# each asks other libraries: torch, diffusers, torchmetrics and scipy, Lightning and jsonargparse
TESTS = (
    "tests/test_sampling.py",
    "tests/models/unet",
    "tests/models/test_diffusers_network.py",
    "tests/metrics/test_image.py",
    "tests/metrics/test_statistics.py",
    "tests/command/test_private_interfaces.py",
)
COLUMNS = ("python", "libraries", "torch", "install", "import", "ten lines", "command", "tests")
VERSIONS = "import platform, torch; print(platform.python_version(), torch.__version__)"
IMPORT = """
import time, torch
before = time.process_time()
from dsg.guidance import DSG
print(f"{time.process_time() - before:.1f} s")
"""
PREDICT = ("predict", "--config=portraits_inpainting_dsg", "--run_dir=x", "--data.limit=1", "--model.steps=4")


class Failed(Exception):
    """A command of a check; the message is the last line that it said, behind the tests that failed."""


def run(command: Sequence[str | Path], folder: Path) -> str:
    """The last line that a command prints.

    Raises:
        Failed: if it ends with another code than 0, with the tests that pytest names.
    """
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout + done.stderr * (done.returncode != 0)).splitlines() if line.strip()]
    last = said[-1].strip() if said else ""
    if done.returncode:
        tests = [line for line in said if line.startswith("FAILED ")]
        raise Failed("; ".join([*tests, last]) or f"exit code {done.returncode}")
    return last


def ten_lines(readme: str) -> str:
    """The README's own, with four steps, and the PSNR of what they sample."""
    (lines,) = re.findall(r"## In ten lines\n\n```python\n(.*?)```", readme, re.DOTALL)
    psnr = 'print(f"{-10 * torch.log10((sample - image).div(2).square().mean()):.1f} dB")'
    return f"{lines.replace('steps=50', 'steps=4')}\n{psnr}\n"


def installs(libraries: str, wheel: Path, project: Path) -> Iterator[tuple[str | Path, ...]]:
    """What follows `uv pip install`, command by command."""
    if libraries == "loop":
        yield "--group", f"{project}:loop"
    elif libraries == "lowest":  # of what is named directly: a wheel's own requirements would not be
        yield "--only-binary", ":all:", "--resolution", "lowest-direct", "-r", project, "--extra", "text"
    else:
        yield "--only-binary", ":all:", f"{wheel}[text]"
    yield "--no-deps", wheel
    if libraries != "loop":
        yield TOOLS


def check(uv: str, python: str, libraries: str, wheel: Path, folder: Path) -> dict[str, str]:
    """A row: what each step gave; the first that failed is the last."""
    row, environment, empty = {"python": python, "libraries": libraries}, folder / "environment", folder / "empty"
    empty.mkdir()
    inside = environment / ("Scripts" if sys.platform == "win32" else "bin")
    try:
        column = "install"
        run([uv, "venv", "--python", python, environment], folder)
        for arguments in installs(libraries, wheel, ROOT / "pyproject.toml"):
            run([uv, "pip", "install", "--python", environment, *arguments], folder)
        said = run([inside / "python", "-c", VERSIONS], empty)
        row |= dict(zip(("python", "torch", "install"), (*said.split(), "yes"), strict=True))
        column = "import"
        row["import"] = run([inside / "python", "-c", IMPORT], empty)
        column = "ten lines"
        row["ten lines"] = run([inside / "python", "-c", ten_lines((ROOT / "README.md").read_text("utf-8"))], empty)
        if libraries != "loop":
            column = "command"
            run([inside / "train-free-eval", *PREDICT], empty)
            row["command"] = "yes" if (empty / "x" / "metrics.json").is_file() else "no metrics.json"
            column = "tests"
            row["tests"] = run([inside / "python", "-m", "pytest", "-p", "no:cacheprovider", *TESTS], ROOT)
    except Failed as failure:
        row[column] = f"failed: {failure}"
    return row


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pythons", nargs="+", default=PYTHONS, help="versions, or interpreters")
    parser.add_argument("--libraries", nargs="+", choices=LIBRARIES, default=LIBRARIES)
    parser.add_argument("--out", type=Path, help="a Markdown file for the table")
    options = parser.parse_args(arguments)
    if (uv := shutil.which("uv")) is None:
        parser.error("uv, which makes the environments, is not installed: pip install uv")
    lines = [line(COLUMNS), line(["---"] * len(COLUMNS))]
    print(*lines, sep="\n", flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as made:
        run([uv, "build", "--out-dir", made, ROOT], ROOT)  # a source distribution, and the wheel from it
        (wheel,) = Path(made).glob("*.whl")
        for python in options.pythons:
            for libraries in options.libraries:
                with tempfile.TemporaryDirectory(dir=made) as folder:
                    row = check(uv, python, libraries, wheel, Path(folder))
                failed |= any(value.startswith("failed") for value in row.values())
                lines.append(line([row.get(column, "") for column in COLUMNS]))
                print(lines[-1], flush=True)
    if options.out is not None:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
