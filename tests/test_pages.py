"""Code on the pages: Python runs, YAML names classes that exist, commands name what is there.

The files of docs/extending.md and docs/data.md are run as they stand by test_extending.py.
"""

import importlib.util
import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from dsg.command.shipped import find_config
from train_free_eval import EvaluationCLI

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
FENCED = re.compile(r"```(\w*)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"# \S+\.(py|yaml)\n")
OWN = re.compile(r"my_\w+")  # of docs/extending.md
RUN = re.compile(r"(?:python train_free_eval\.py|train-free-eval) (predict|compare|report) (.*)")


class Understood(Exception):
    """Every option was."""


class ParserAlone(EvaluationCLI):
    """A command line up to where its objects would be made."""

    def instantiate_classes(self) -> None:
        raise Understood


def blocks(language: str) -> list[tuple[str, str]]:
    found = [(page.name, text) for page in PAGES for kind, text in FENCED.findall(page.read_text()) if kind == language]
    return [(name, text) for name, text in found if name not in ("extending.md", "data.md") or not FILE.match(text)]


def commands() -> list[tuple[str, str]]:
    """Lines that start a program, those that go on in the next line as one."""
    lines = [(page.name, line) for page in PAGES for line in page.read_text().replace("\\\n", " ").splitlines()]
    starts = r"(?:[A-Z_]+=\S+ )?(?:python|train-free-eval|make|torchrun|tensorboard|pip)\b.*"
    return [(name, line.strip()) for name, line in lines if re.fullmatch(r"(?: {4})?" + starts, line)]


# those whose three dots the reader fills in are no programs
PYTHON = [(name, text) for name, text in blocks("python") if "(...)" not in text]


@pytest.mark.parametrize(("name", "text"), PYTHON, ids=[f"{name}-{i}" for i, (name, _) in enumerate(PYTHON)])
def test_python_on_a_page_runs(name, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if "sampler.begin(examples" in text and "sampler =" not in text:  # the README's ten lines go before it
        ten_lines = next(t for n, t in PYTHON if n == "README.md").replace("RandomInpainting", "GaussianDeblurring")
        text = f"{ten_lines}\ny = image\n{text}"
    exec(compile(text.replace("steps=50", "steps=2"), name, "exec"), {"__name__": "page"})


@pytest.mark.parametrize(("name", "text"), blocks("yaml"))
def test_yaml_on_a_page_names_classes_that_exist(name, text):
    def named(settings):
        values = settings.values() if isinstance(settings, dict) else settings if isinstance(settings, list) else ()
        own = [settings["class_path"]] if isinstance(settings, dict) and "class_path" in settings else []
        return own + [path for value in values for path in named(value)]

    for path in named(yaml.safe_load(text)):
        module, _, member = path.rpartition(".")
        optional = module.startswith("deepinv") and importlib.util.find_spec("deepinv") is None
        if not OWN.fullmatch(module) and not optional:
            assert hasattr(importlib.import_module(module), member), path


@pytest.mark.parametrize(("name", "command"), [(n, c) for n, c in commands() if RUN.search(c)])
def test_a_command_of_a_page_names_configurations_that_are_there_and_options_that_exist(name, command):
    found = RUN.search(command.split(" #")[0])
    assert found is not None
    kind, words = found[1], shlex.split(found[2])
    files = [word for option, word in pairwise(words) if option == "--config"]
    given = [file for file in files if not re.fullmatch(r"\.\.\.|EXPERIMENT\.yaml|mine\.yaml|my_\w+\.yaml", file)]
    for file in given:
        assert find_config(ROOT / file if (ROOT / file).is_file() else file).is_file()
    if kind == "predict" and files and given == files and "..." not in words:
        words = [str(find_config(ROOT / w if (ROOT / w).is_file() else w)) if w in files else w for w in words]
        with pytest.raises(Understood):
            ParserAlone(["predict", *words])


@pytest.mark.parametrize(("name", "command"), [(n, c) for n, c in commands() if not RUN.search(c)])
def test_another_command_of_a_page_names_a_module_or_a_target_that_is_there(name, command):
    words = command.split(" #")[0].split()
    if words[0] == "make":
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()
    if words[:2] == ["python", "-m"]:
        module = words[words.index("-m", 3) + 1] if words[2] == "torch.distributed.run" else words[2]
        assert importlib.util.find_spec(module) is not None
    for word in words:
        if re.fullmatch(r"(tests|benchmarks|configs|docs/images)/\S+", word):
            assert (ROOT / word.split("[")[0].split("::")[0]).exists(), word


def test_every_page_and_table_is_in_the_navigation_of_the_site():
    text = (ROOT / "mkdocs.yml").read_text()
    navigation = set(re.findall(r": (\S+\.md)$", text, re.MULTILINE))
    docs = ROOT / "docs"
    written = {page.relative_to(docs).as_posix() for page in docs.rglob("*.md")}
    assert {page for page in navigation if not page.startswith("api/")} == written
    for room in (page.removeprefix("api/").removesuffix(".md") for page in navigation if page.startswith("api/")):
        assert importlib.util.find_spec(room) is not None
