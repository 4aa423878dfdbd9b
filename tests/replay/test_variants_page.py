"""The page on published variants names options that there are, and that the records were replayed with."""

import re
from pathlib import Path

import yaml

import dsg.combiners
import dsg.diffusion
import dsg.diffusion.kernels
import dsg.guidance
from dsg.diffusion.kernels import Renoise
from dsg.guidance import FreeDoM, hamiltonian, hard_consistency, langevin, ode_path
from dsg.guidance import step_rules as rules
from dsg.replay.steps.compare import FILES, entry
from dsg.replay.steps.read import read_steps

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "variants.md").read_text()
RECORDS = ROOT / "tests" / "data" / "golden" / "steps"
NAMES = {**vars(dsg.guidance), **vars(rules), **vars(dsg.combiners), **vars(dsg.diffusion.kernels)}
NAMES |= {
    **vars(langevin),
    **vars(hamiltonian),
    **vars(hard_consistency),
    **vars(ode_path),
    "Karras": dsg.diffusion.Karras,
    "d": None,  # a discriminator, which the page does not choose
}


def rows() -> list[list[str]]:
    """The cells of each row of a table that has options and records."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and "---" not in line]
    return [cells for line in lines if len(cells := [c.strip() for c in line.strip("|").split("|")]) == 5]


def test_every_option_on_the_page_can_be_made_and_every_record_is_one():
    options = [option for *_, cell, _ in rows() for option in re.findall(r"`([^`]+\))`", cell)]
    assert len(options) > 15
    for option in options:
        eval(option, NAMES)
    records = {record for *_, cell in rows() for record in re.findall(r"`(\w+)`", cell)}
    assert records <= set(FILES)


def classes(text: str) -> set[str]:
    return set(re.findall(r"\b([A-Z]\w+)\(", text))


def test_the_page_names_the_classes_that_the_records_are_replayed_with():
    named: dict[str, set[str]] = {}
    for *_, option, record in rows():
        for file in re.findall(r"`(\w+)`", record):
            named.setdefault(file, set()).update(classes(option))
    for file, on_page in named.items():
        steps = [step for step in read_steps(RECORDS / f"{file}.safetensors") if entry(step) is not None]
        one_a_tag = {step.tag: step for step in steps}.values()
        replayed = set().union(*(classes(entry(step)(step).options) for step in one_a_tag))
        assert replayed - {"DDIM", "DDPM"} == on_page - {"DDIM", "DDPM"}, file


def test_the_configuration_on_the_page_is_the_code_it_speaks_of():
    (block,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    model = yaml.safe_load(block)["model"]
    made = {part: _made(section) for part, section in model.items()}
    assert made == {"guidance": FreeDoM(0.5, t_low=101), "kernel": Renoise(0.5)}


def _made(section: dict) -> object:
    options = section.get("init_args", {})
    options = {name: _made(value) if isinstance(value, dict) else value for name, value in options.items()}
    return NAMES[section["class_path"].rsplit(".", 1)[-1]](**options)
