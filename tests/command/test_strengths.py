"""The strength of a method where nobody states it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from dsg.command.config import resolve
from dsg.command.table_of_strengths import read_table
from dsg.errors import UserError

CONFIGS = Path(__file__).parents[2] / "configs"
TABLE = """
chosen: {best: the best of nine}
where:
  over_dps: {model.guidance.init_args.base.class_path: [dsg.guidance.DPS, null]}
strengths:
- {task: tasks.JPEG, steps: 100, guidance: dsg.guidance.DPS, set: {step_size: 2.0}, chosen: best}
- {task: tasks.JPEG, steps: 20, guidance: dsg.guidance.DPS, set: {step_size: 8.0}, chosen: best}
- {task: tasks.JPEG, steps: 20, guidance: dsg.guidance.DSG, set: {guidance_rate: 0.3, interval: 2}, chosen: best,
   where: over_dps}
"""


@pytest.fixture
def fill(tmp_path, monkeypatch):
    """`fill(*options)` → the guidance's arguments and the notes."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "table.yaml").write_text(TABLE)
    (tmp_path / "folder" / "run.yaml").write_text(
        "strengths: table.yaml\n"
        "model: {steps: 20, task: {class_path: tasks.JPEG}, guidance: {class_path: dsg.guidance.DPS}}"
    )
    monkeypatch.chdir(tmp_path)

    def filled(*options: str) -> tuple[dict, list[str]]:
        found = resolve(["predict", "--config", "folder/run.yaml", *options])
        settings = yaml.safe_load(found.arguments[found.arguments.index("--config") + 1])
        assert "strengths" not in settings
        return settings["model"]["guidance"].get("init_args", {}), found.notes

    return filled


def test_what_nobody_states_is_taken_from_the_table(fill):
    assert fill() == ({"step_size": 8.0}, [])
    assert fill("--model.steps", "100") == ({"step_size": 2.0}, [])
    assert fill("--model.steps", "ddim100") == ({"step_size": 2.0}, [])


def test_what_a_file_or_an_option_states_is_left_alone(fill, tmp_path):
    assert fill("--model.guidance.step_size", "3") == ({}, [])
    (tmp_path / "own.yaml").write_text("model: {guidance: {init_args: {step_size: 5.0}}}")
    assert fill("--config", "own.yaml") == ({"step_size": 5.0}, [])
    dsg = ("--model.guidance", "dsg.guidance.DSG", "--model.guidance.guidance_rate", "0.9")
    assert fill(*dsg) == ({"interval": 2}, [])  # the rest is


def test_a_number_of_steps_that_is_not_there_takes_the_nearest_and_says_so(fill):
    values, (note,) = fill("--model.steps", "40")
    assert values == {"step_size": 8.0}
    assert note == (
        "strengths: folder/table.yaml has a DPS for JPEG in 20, 100 steps and not in 40: takes step_size=8.0, "
        "which is for 20"
    )
    assert fill("--model.steps", "50")[0] == {"step_size": 2.0}  # by ratio
    assert fill("--model.steps", "40", "--model.guidance.step_size", "1")[1] == []


def test_a_task_that_is_not_there_takes_the_classs_own_and_says_which(fill):
    values, (note,) = fill("--model.task", "tasks.Denoising")
    assert values == {}
    assert "folder/table.yaml has no DPS for Denoising as it is set here: takes the class's own step_size=1.0;" in note


def test_a_class_is_the_same_by_whichever_name(fill):
    assert fill("--model.guidance", "dsg.guidance.dps.DPS")[0] == {"step_size": 8.0}
    assert fill("--model.guidance", "DPS", "--model.task", "tasks.jpeg.JPEG")[0] == {"step_size": 8.0}
    assert fill("--model.guidance", "mine.DPS") == ({}, [])


def test_a_method_that_the_table_does_not_know_has_nothing_to_choose(fill):
    assert fill("--model.guidance", "dsg.guidance.Unguided") == ({}, [])


def test_a_condition_decides_whether_a_row_holds(fill):
    dsg = ("--model.guidance", "dsg.guidance.DSG")
    assert fill(*dsg) == ({"guidance_rate": 0.3, "interval": 2}, [])
    assert fill(*dsg, "--model.guidance.base", "dsg.guidance.DPS")[0] == {"guidance_rate": 0.3, "interval": 2}
    values, (note,) = fill(*dsg, "--model.guidance.base", '{"class_path": "dsg.guidance.LGDMC"}')
    assert values == {}
    assert "takes the class's own guidance_rate=0.1, interval=1" in note


def test_a_strength_is_of_the_rule_that_it_was_chosen_with(fill):
    portraits = ("--strengths", str(CONFIGS / "strengths" / "portraits.yaml"), "--model.steps", "50")
    assert fill(*portraits) == ({"step_size": 4.0}, [])
    assert fill(*portraits, "--config", str(CONFIGS / "guidance" / "dps.yaml"))[0]["step_size"] == 4.0
    for rule in (["--model.guidance.rule", "OverLoss"], ["--model.guidance.rule=dsg.guidance.step_rules.Exploding"]):
        found, notes = fill(*portraits, *rule, "--config", str(CONFIGS / "guidance" / "dps.yaml"))
        assert "step_size" not in found
        assert "has no DPS for JPEG as it is set here" in notes[0]


@pytest.mark.parametrize(
    ("method", "strength", "option"),
    [
        ("red_diff", 1.98e-06, "average=mean"),
        ("red_diff", 1.98e-06, "weighting=sqrt"),
        ("diffpir", 3.0, "unit_noise=true"),
    ],
)
def test_a_strength_of_a_papers_formula_is_not_that_of_a_code(fill, method, strength, option):
    portraits = ("--strengths", str(CONFIGS / "strengths" / "portraits.yaml"), "--model.steps", "50")
    task = ("--model.task", "tasks.RandomInpainting", "--config", str(CONFIGS / "guidance" / f"{method}.yaml"))
    assert fill(*portraits, *task)[0]["regularisation"] == strength
    found, notes = fill(*portraits, *task, f"--model.guidance.{option}")
    assert "regularisation" not in found
    assert "for RandomInpainting as it is set here" in notes[0]


def test_null_is_no_table(fill):
    assert fill("--strengths", "null") == ({}, [])


def test_what_was_filled_in_is_in_the_runs_settings_and_the_table_is_not(evaluate, settings, tmp_path, capsys):
    content = yaml.safe_load(settings.read_text())
    del content["model"]["guidance"]["init_args"]
    (tmp_path / "table.yaml").write_text(TABLE.replace("tasks.JPEG", "tasks.RandomInpainting"))
    settings.write_text(yaml.safe_dump(content | {"strengths": "table.yaml"}))
    assert evaluate("--data.limit", "1") == 0
    run = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    arguments = run["model"]["guidance"]["init_args"]
    assert (arguments["guidance_rate"], arguments["interval"]) == (0.3, 2)
    assert "strengths" not in run
    assert "a DSG for RandomInpainting in 20 steps and not in 5" in capsys.readouterr().err
    assert evaluate("--config", tmp_path / "run" / "config.yaml", into="again") == 0
    assert "strengths" not in capsys.readouterr().err  # all is stated


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("steps: 100", "steps: many", "row 1: steps must be a whole number of at least 1, got 'many'"),
        ("set: {step_size: 2.0}", "set: {}", "row 1: set must hold `argument: value`"),
        ("chosen: best}", "chosen: worst}", "row 1: chosen is 'worst', and the table's own chosen has best"),
        ("steps: 100,", "", "row 1: must hold task, steps, guidance, set, chosen"),
        ("steps: 100", "steps: 20", "row 2: a second row of dsg.guidance.DPS for tasks.JPEG in 20 steps"),
        ("where: over_dps}", "where: over_all}", "row 3: where is 'over_all', and the table's own where has over_dps"),
        ("strengths:", "weaknesses:", "holds no `strengths`"),
        ("strengths:", "strengths: [", "is not YAML"),
    ],
)
def test_a_table_that_is_none_is_refused_with_file_and_row(tmp_path, before, after, words):
    file = tmp_path / "table.yaml"
    file.write_text(TABLE.replace(before, after, 1))
    with pytest.raises(UserError, match=f"^strengths: .*table.yaml.*{re.escape(words)}"):
        read_table(file)
