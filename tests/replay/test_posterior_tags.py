"""Tags of other tasks, whose records are elsewhere: what their own draws and options become."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dsg.replay.steps.compare import entry
from dsg.replay.steps.posterior import _spectral_noise
from dsg.replay.steps.read import read_steps
from dsg.replay.steps.recorded import measured
from dsg.replay.steps.replayed import Unequal

RECORDS = Path(__file__).parents[1] / "data" / "golden" / "steps"


def found(file, tag, t):
    steps = read_steps(RECORDS / f"{file}.safetensors")
    return next(step for step in steps if (step.tag, step.t) == (tag, t))


def of_super_resolution(record):
    """The record with draws for 48 patches: those that A sees are twice what `noise_missing_img` has there."""
    image, sign = record["noise_missing_img"], torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(24)
    coefficients = sign * image.unfold(2, 2, 2).unfold(3, 2, 2).sum(dim=(-1, -2)).flatten(1) / 2
    draws = {"noise_spec0": coefficients, "noise_spec1": 2 * coefficients, "noise_spec2": 2 * coefficients}
    half = torch.full((48,), 0.5, dtype=torch.float64)
    settings = {name: value for name, value in record.settings.items() if name not in ("mask", "y")}
    return replace(record, tag="sr2", tensors=record.tensors | draws, settings=settings | {"singulars": half})


@pytest.mark.parametrize("t", [20, 600])
def test_the_draw_of_patches_takes_the_place_of_what_a_mean_of_four_sees(t):
    record = of_super_resolution(found("ddrm_official", "inpaint", t))
    noise, image = _spectral_noise(record), record["noise_missing_img"]
    operator = measured(record)[1].operator
    torch.testing.assert_close(operator.forward(noise), 2 * operator.forward(image))
    unseen = noise - operator.pseudo_inverse(operator.forward(noise))
    torch.testing.assert_close(unseen, image - operator.pseudo_inverse(operator.forward(image)))
    assert entry(record)(record).ours["x_prev"].isfinite().all()


def test_the_step_without_its_transpose_is_listed_with_the_reason():
    record = replace(found("ddnm_official", "plus_inpaint", 600), tag="plus_sr2")
    assert entry(record)(record) == Unequal(
        "its Vᵀ is missing: pixels of z and ε are taken for spectral coefficients, which is a mistake"
    )


@pytest.mark.parametrize(
    ("file", "tag", "own"),
    [
        ("reddiff_daps_inversebench", "reddiff_tanh", {"schedule": "constant"}),
        ("diffpir_official", "tanh_firstorder", {"lambda_": 400.0}),
        ("pigdm_reddiff_repo", "sr2_mcg", {"mcg": True, "eta": 0.0}),
        ("pigdm_inversebench", "sr2", {}),
        ("daps_official", "tanh", {}),
    ],
)
def test_tags_of_other_tasks_can_be_taken_too(file, tag, own):
    step = next(s for s in read_steps(RECORDS / f"{file}.safetensors") if s.t in (600, 20) and "daps_" not in s.tag)
    settings = {name: value for name, value in step.settings.items() if name not in ("mask", "y")}
    hyper = step.hyper | {tag: step.hyper[step.tag] | own}
    taken = entry(replace(step, tag=tag))(replace(step, tag=tag, settings=settings, hyper=hyper))
    assert all(value.isfinite().all() for value in taken.ours.values())
