"""Every configuration can be read, and says how it is run."""

import importlib.util
import inspect
from pathlib import Path

import pytest
import yaml

from train_free_eval import main

EXPERIMENTS = sorted((Path(__file__).parents[2] / "configs" / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_an_experiment_composes_into_settings_that_the_command_line_accepts(path, capsys):
    given = [] if path.stem.startswith(("portraits", "posterior", "theory")) else ["--data.root", "images"]
    with pytest.raises(SystemExit) as end:
        main(["predict", "--config", str(path), "--run_dir", "unused", *given, "--print_config"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert "guidance:" in printed
    assert "score_model:" in printed


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda p: p.stem)
def test_an_experiment_begins_with_the_command_that_runs_it_its_cost_and_what_to_expect(path):
    head = [line for line in path.read_text().splitlines() if line.startswith("#")]
    assert f"python train_free_eval.py predict --config configs/experiment/{path.name}" in "\n".join(head)
    assert any("Cost per image" in line for line in head)
    assert any("Expect" in line for line in head)


def test_a_guidance_configuration_spells_out_every_parameter():
    """Otherwise switching the class would keep same-named values of the one before."""
    import dataclasses

    from dsg import guidance

    for path in (EXPERIMENTS[0].parent.parent / "guidance").glob("*.yaml"):
        section = yaml.safe_load(path.read_text())["model"]["guidance"]
        method = getattr(guidance, section["class_path"].rsplit(".", 1)[1])
        fields = dataclasses.fields(method) if dataclasses.is_dataclass(method) else ()
        assert set(section.get("init_args", {})) == {field.name for field in fields}, path.name


@pytest.mark.parametrize("axis", ["data", "model", "task"])
def test_a_configuration_of_an_axis_spells_out_every_parameter_that_has_a_default(axis):
    for path in sorted((EXPERIMENTS[0].parent.parent / axis).glob("*.yaml")):
        for section in class_sections(yaml.safe_load(path.read_text())):
            module, name = section["class_path"].rsplit(".", 1)
            if importlib.util.find_spec(module.split(".")[0]) is None:
                continue  # of an extra that is not installed
            parameters = inspect.signature(getattr(importlib.import_module(module), name)).parameters.values()
            optional = {p.name for p in parameters if p.default is not inspect.Parameter.empty}
            assert optional <= set(section.get("init_args", {})), f"{path.name}: {section['class_path']}"


def class_sections(content):
    """Every {class_path, init_args} inside, at any depth."""
    if isinstance(content, dict):
        if "class_path" in content:
            yield content
        for value in content.values():
            yield from class_sections(value)
