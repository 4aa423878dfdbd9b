"""Single steps of the methods' own code on an analytic prior: ours are the same numbers under a named option.

tests/data/golden/README.md says where they come from.
"""

import shutil
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from safetensors.torch import save_file

from dsg.replay.__main__ import main
from dsg.replay.record import read_record
from dsg.replay.steps.compare import FILES, entry, row
from dsg.replay.steps.read import read_steps
from dsg.replay.steps.recorded import measured

RECORDS = Path(__file__).parents[1] / "data" / "golden" / "steps"
TAGS = {
    f"{path.stem}-{tag}": list(steps)
    for path in sorted(RECORDS.glob("*.safetensors"))
    for tag, steps in groupby(read_steps(path), lambda step: step.tag)
}


UNKNOWN = {name for name, steps in TAGS.items() if entry(steps[0]) is None}


def test_no_tag_is_without_an_entry_in_the_tables():
    assert not UNKNOWN


@pytest.mark.parametrize("steps", [TAGS[name] for name in sorted(TAGS.keys() - UNKNOWN)], ids=lambda s: s[0].tag)
def test_a_recorded_step_is_ours_under_its_option_or_there_is_a_reason(steps):
    for found in map(row, steps):
        assert found.passes(), found
        assert found.note


def test_every_file_that_can_be_replayed_has_its_records_here():
    assert {path.stem for path in RECORDS.glob("*.safetensors")} == set(FILES)


def test_a_folder_of_records_prints_a_row_a_step_and_exits_with_zero(capsys):
    assert main([str(RECORDS / "dsg_official.safetensors"), str(RECORDS / "common.safetensors")]) == 0
    printed = capsys.readouterr().out
    assert "DSG(guidance_rate=0.2)" in printed
    assert printed.count("inpaint") == 5
    assert "t0980" in printed


def test_a_folder_means_every_file_in_it_and_one_number_that_differs_is_beyond_the_tolerance(tmp_path, capsys):
    shutil.copy(RECORDS / "common.safetensors", tmp_path)
    tensors, meta = read_record(RECORDS / "dps_official.safetensors")
    tensors["inpaint/t0600/x_prev"][1, 2, 3, 4] += 1e-8
    save_file(tensors, tmp_path / "dps_official.safetensors", meta)
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.count("!") == 1
    assert main([str(tmp_path), "--tolerance", "1e-7"]) == 0


@pytest.mark.parametrize(
    ("name", "without", "words"),
    [
        ("unheard_of", "", "choose cfg_family_diffusers, common"),
        ("dps_official", "inpaint/t0600/x_t", "inpaint/t0600 has no x_t"),
        ("dps_official", "inpaint/t0600/noise", "no further noise for reverse"),
    ],
)
def test_steps_that_cannot_be_taken_exit_with_two_and_say_why(tmp_path, capsys, name, without, words):
    shutil.copy(RECORDS / "common.safetensors", tmp_path)
    tensors, meta = read_record(RECORDS / "dps_official.safetensors")
    tensors.pop(without, None)
    save_file(tensors, tmp_path / f"{name}.safetensors", meta)
    assert main([str(tmp_path / f"{name}.safetensors")]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_a_record_without_the_common_file_exits_with_two(tmp_path, capsys):
    shutil.copy(RECORDS / "dps_official.safetensors", tmp_path)
    assert main([str(tmp_path / "dps_official.safetensors")]) == 2
    assert "common.safetensors: missing" in capsys.readouterr().err


@pytest.mark.parametrize("tag", ["sr2", "tanh"])
def test_the_other_tasks_of_the_records_measure_what_the_common_file_has(tag):
    """Their steps are recorded too, in files that are not all here."""
    step = next(read_steps(RECORDS / "common.safetensors"))
    _, measurement = measured(replace(step, tag=tag))
    noise = measurement.y - measurement.operator.forward(step.common["data/x0"])
    assert noise.std().item() == pytest.approx(step.common["data/sigma_y"].item(), rel=0.15)


@pytest.mark.parametrize(
    ("file", "tag", "without"),
    [
        ("lgd_tfg", "sr2", {"noise0"}),
        ("lgd_inversebench", "sr2_ode", {"noise1"}),
        ("ugd_official_imagenet", "tanh", set()),
        ("freedom_official", "parse_tanh", set()),
        ("mpgd_official", "sr2", set()),
    ],
)
def test_tags_of_other_tasks_and_of_kernels_without_noise_can_be_taken_too(file, tag, without):
    """Whose records are elsewhere: here with the draws of another tag, so that there is no number to compare."""
    found = next(step for step in read_steps(RECORDS / f"{file}.safetensors") if step.t == 200)
    settings = {name: value for name, value in found.settings.items() if name not in ("mask", "y")}
    draws = {name: value for name, value in found.tensors.items() if name not in without}
    if file == "lgd_tfg":
        draws = {name.replace("4", "0") if name == "noise4" else name: value for name, value in draws.items()}
    taken = entry(found)(replace(found, tag=tag, settings=settings, tensors=draws))
    assert taken.ours["x_prev"].isfinite().all()
    assert taken.ours["x_prev"].shape == found["x_prev"].shape


def test_a_guider_with_a_momentum_is_replayed_with_the_steps_before_it():
    """Recorded in other files: the first step has no momentum to add, and a later one has."""
    steps = [step for step in read_steps(RECORDS / "cfg_family_diffusers.safetensors") if step.tag == "apg"]
    before = None
    for step in steps:
        before = replace(step, tag="apg_momentum", before=before)
        deviation = entry(before)(before).deviation(step)  # from the record without momentum
        assert deviation < 1e-9 if step is steps[0] else deviation > 1e-3
