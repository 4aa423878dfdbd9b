"""Single steps of the methods' own code on an analytic prior, float64: ours are the same numbers.

tests/data/golden/README.md says where they come from.
"""

import itertools
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from dsg.diffusion import Leading, NoiseSchedule
from dsg.diffusion.kernels import DDIM, DDPM
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.guidance import DPS, DSG, TFG
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from tasks import Measurement, RandomInpainting
from tasks.operators.mask import Mask

RECORDS = Path(__file__).parents[1] / "data" / "golden" / "steps"
TIMES = (980, 600, 200, 20, 0)
TOLERANCE = 2e-7  # the recorded code has its coefficients in float32


def read(name):
    with safe_open(RECORDS / f"{name}.safetensors", "pt") as file:
        names = file.keys()
        return {name: file.get_tensor(name) for name in names}, file.metadata()


def at(record, tag, t):
    """What a tag has of one step, by its last name."""
    return {key.rpartition("/")[2]: value for key, value in record.items() if key.startswith(f"{tag}/t{t:04d}/")}


COMMON, _ = read("common")
SCHEDULE = NoiseSchedule.from_betas(COMMON["schedule/betas"].numpy())
STEPS = {step.t: step for step in Leading().steps(SCHEDULE, 50)}
MEASUREMENT = Measurement(COMMON["data/y_inpaint"], Mask(COMMON["data/mask"]))


def prior(clip):
    model = GaussianMixture(
        COMMON["prior/weights"], COMMON["prior/means"], COMMON["prior/s"] ** 2, shape=(3, 8, 8), schedule=SCHEDULE
    )
    model.clean_range = (-1.0, 1.0) if clip else None
    return model


class RecordedNoise(NoiseStreams):
    """Gives the draws of a record back, for each purpose in order."""

    def __init__(self, draws):
        super().__init__([SampleKey(0, "a"), SampleKey(0, "b")])
        self.draws = draws

    def normal(self, purpose, shape):
        return self.draws[purpose].pop(0)


def step(guidance, kernel, t, x_t, draws, clip=False):
    process = ReverseProcess(
        prior(clip), RandomInpainting(), MEASUREMENT, kernel, RecordedNoise(draws), list(STEPS.values())
    )
    return guidance.step(x_t, STEPS[t], process)


@pytest.mark.parametrize("t", TIMES)
def test_training_free_guidance_smooths_by_sigma_root_one_minus_alpha_bar(t):
    record, meta = read("tfg_official")
    how, of = json.loads(meta["hyper"])["inpaint"], at(record, "inpaint", t)
    draws = [of[f"noise{k}"] for k in range(int(of["num_noise"]))]
    guidance = TFG(
        how["rho"], how["mu"], how["sigma"], how["rho_schedule"], how["mu_schedule"], how["sigma_schedule"],
        iterations=how["iter_steps"], draws=4,
    )  # fmt: skip
    last = torch.zeros(2, 3, 8, 8)
    purposes = {Purpose.MONTE_CARLO: draws[:4], Purpose.REVERSE: [last if t == 0 else draws[4]]}
    found = step(guidance, DDIM(how["eta"]), t, of["x_t"], purposes)
    torch.testing.assert_close(found.x_prev, of["x_prev"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(
    ("tag", "t"), [("inpaint", 980), *itertools.product(["inpaint", "inpaint_ddim", "inpaint_clip"], TIMES[1:-1])]
)
def test_diffusion_posterior_sampling_takes_the_recorded_step(tag, t):
    record, meta = read("dps_official")
    of, kernel = at(record, tag, t), DDIM(0.0) if "ddim" in tag else DDPM()
    guidance = DPS(json.loads(meta["hyper"])["scale"][tag])
    found = step(guidance, kernel, t, of["x_t"], {Purpose.REVERSE: [of["noise"]]}, "clip" in tag)
    torch.testing.assert_close(found.x_prev, of["x_prev"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("t", TIMES[:-1])
def test_the_spherical_gaussian_constraint_takes_the_recorded_step(t):
    record, _ = read("dsg_official")
    of, kernel = at(record, "inpaint", t), DDIM(float(record["inpaint/eta"]))
    guidance = DSG(guidance_rate=float(record["inpaint/guidance_scale"]))
    found = step(guidance, kernel, t, of["x_t"], {Purpose.REVERSE: [of["noise"]]})
    torch.testing.assert_close(found.x_prev, of["x_prev"], atol=TOLERANCE, rtol=0)
