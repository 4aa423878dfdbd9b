"""The sampling loop runs with the five libraries of the group `loop`: without Lightning, metrics and diffusers."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
IMPORTED_AS = {"clean-fid": "cleanfid", "pillow": "PIL", "pyyaml": "yaml"}

WITHOUT = """
import sys
absent = set(sys.argv[1].split(","))

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
SAMPLED = """
import dsg.combiners, dsg.masked, dsg.process, dsg.diffusion.kernels
print(f"psnr {-10 * torch.log10((sample - image).div(2).square().mean()):.1f}")
from dsg.errors import NotInstalled
from dsg.models.adm import ADM
try:
    ADM("none.pt")
except NotInstalled as missing:
    print(missing)
sys.argv = ["train-free-eval", "--help"]
import train_free_eval
"""


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[<>=\[; ]", requirement)[0] for requirement in requirements}


LOOP = _names(PROJECT["dependency-groups"]["loop"])
OTHERS = _names(PROJECT["project"]["dependencies"]) - LOOP


def test_the_loops_libraries_are_few_and_among_those_of_the_command():
    wanted = set(PROJECT["project"]["dependencies"])
    assert set(PROJECT["dependency-groups"]["loop"]) < wanted
    assert len(LOOP) <= 5
    assert {"lightning", "torchmetrics", "diffusers", "scipy", "matplotlib", "torchvision"} <= OTHERS


@pytest.fixture(scope="module")
def alone():
    """What a process without the others printed, that ran the README's ten lines and then asked for more."""
    (lines,) = re.findall(r"## In ten lines\n\n```python\n(.*?)```", README, re.DOTALL)
    lines = lines.replace("steps=50", "steps=4")
    absent = sorted(IMPORTED_AS.get(name, name) for name in OTHERS | {"transformers", "pandas", "deepinv"})
    command = [sys.executable, "-c", WITHOUT + lines + SAMPLED, ",".join(absent)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_the_readmes_ten_lines_sample_a_portrait_with_them_alone(alone):
    (psnr,) = re.findall(r"^psnr (.*)$", alone.stdout, re.MULTILINE)
    assert float(psnr) > 10, alone.stderr


def test_what_asks_for_another_library_says_in_a_line_how_to_get_it(alone):
    assert "ADM needs diffusers, which is not installed: pip install diffusers" in alone.stdout
    assert alone.returncode == 2
    last = alone.stderr.splitlines()[-1]
    assert re.fullmatch(r"error: the command needs \w+, which is not installed: pip install [\w-]+", last)
