"""One Gaussian mixture in four coordinates: variance-preserving, variance-exploding, EDM and rectified flow.

Each native network is written in its own coordinates, from p(x) = Σ w_i N(x; α μ_i, α² S_i + β²) for x = α x_0 + β ε.
"""

import math

import pytest
import torch
from torch import nn

import tasks
from dsg.combiners import ClassifierFree, Conditional
from dsg.data.examples import Examples
from dsg.diffusion import Even, FlowSchedule, Karras, LogSNR, NoiseSchedule, SigmaSchedule
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DPS, DSG, Unguided
from dsg.models.coordinates import RectifiedFlow, VarianceExploding
from dsg.models.mixture import GaussianMixture
from dsg.models.network import NetworkModel
from dsg.sampling import Sampler

SHAPE, CLASSES = (3, 4, 4), [0, 0, 1]
GENERATOR = torch.Generator().manual_seed(0)
WEIGHTS = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
MEANS = torch.randn(3, 48, generator=GENERATOR, dtype=torch.float64)
VARIANCES = 0.05 + torch.rand(3, 48, generator=GENERATOR, dtype=torch.float64)
TABLE = NoiseSchedule()
STATES = torch.randn(4, *SHAPE, generator=GENERATOR, dtype=torch.float64)


class Native(nn.Module):
    """E[x_0 | x] and E[ε | x] of the mixture on the path x = α x_0 + β ε, unconditional at label 2."""

    def __init__(self, path, says):
        super().__init__()
        self.path, self.says = path, says

    def forward(self, x, t, labels=None):
        (a, b), flat = self.path(t[0].double().item()), x.double().flatten(1)
        variance, residual = a**2 * VARIANCES + b**2, flat[:, None] - a * MEANS
        log_joint = WEIGHTS.log() - 0.5 * (residual.square() / variance + variance.log()).sum(-1)
        if labels is not None:
            other = (torch.tensor(CLASSES) != labels[:, None]) & (labels[:, None] != 2)
            log_joint = log_joint.masked_fill(other, -math.inf)
        share = log_joint.softmax(1)
        clean = torch.einsum("bk,bkd->bd", share, MEANS + a * VARIANCES / variance * residual)
        noise = torch.einsum("bk,bkd->bd", share, b / variance * residual)
        return self.says(clean, noise).reshape(x.shape).to(x.dtype)


def timestep_of_the_table(t):
    level = TABLE.level(t)
    return level.signal, level.noise


def network(path, says, predicts, schedule, coordinates=None):
    return NetworkModel(
        Native(path, says), SHAPE, predicts, schedule, coordinates, clean_range=None, num_classes=2, null_class=2
    )


MODELS = {
    "vp epsilon": network(timestep_of_the_table, lambda clean, noise: noise, "epsilon", TABLE),
    "ve": network(
        lambda s: (1.0, s), lambda clean, noise: noise, "epsilon", SigmaSchedule(0.01, 157), VarianceExploding()
    ),
    "edm": network(lambda s: (1.0, s), lambda clean, noise: clean, "denoised", SigmaSchedule(), VarianceExploding()),
    "flow": network(lambda t: (1 - t, t), lambda clean, noise: noise - clean, "velocity", FlowSchedule(), RectifiedFlow()),
    "flow of a thousand": network(
        lambda t: (1 - t / 1000, t / 1000), lambda clean, noise: noise - clean, "velocity", FlowSchedule(),
        RectifiedFlow(1000.0),
    ),
}  # fmt: skip


def exact(model):
    """The mixture with the levels of another model."""
    return GaussianMixture(WEIGHTS, MEANS, VARIANCES, classes=CLASSES, shape=SHAPE, schedule=model.schedule)


def twelve_levels(schedule):
    """Both ends and ten between them; the clean end of a flow, where no network is asked, as near as 1e-3."""
    clean = min(schedule.cleanest.log_snr, 2 * math.log(0.999 / 0.001))
    noisy = max(schedule.noisiest.log_snr, 2 * math.log(0.001 / 0.999))
    between = [schedule.at(noisy + (clean - noisy) * k / 10) for k in range(1, 11)]
    return [schedule.noisiest, *between, schedule.at(clean)]


@pytest.mark.parametrize("labels", [None, torch.tensor([0, 1, 1, 0])], ids=["unconditional", "classes"])
@pytest.mark.parametrize("name", MODELS)
def test_both_halves_are_those_of_the_mixture_at_twelve_levels_and_both_ends(name, labels):
    model = MODELS[name]
    for level in twelve_levels(model.schedule):
        condition = None if labels is None else ClassLabels(labels)
        found, expected = model(STATES, level, condition), exact(model)(STATES, level, condition)
        torch.testing.assert_close(found.clean_estimate, expected.clean_estimate, atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(found.epsilon, expected.epsilon, atol=1e-6, rtol=1e-6)
        together = level.signal * found.clean_estimate + level.noise * found.epsilon
        torch.testing.assert_close(together, STATES, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", MODELS)
def test_in_float32_both_halves_are_finite_and_add_up_to_the_state(name):
    model, x = MODELS[name], STATES.float()
    for level in twelve_levels(model.schedule):
        found, expected = model(x, level), exact(model)(STATES, level)
        # rounding of x_t is all that ε loses at the clean end, and x̂ at the noisy one
        assert (level.noise * (found.epsilon - expected.epsilon)).abs().max() < 2e-6
        assert (level.signal * (found.clean_estimate - expected.clean_estimate)).abs().max() < 2e-6
        torch.testing.assert_close(level.signal * found.clean_estimate + level.noise * found.epsilon, x)


def run(model, guidance, kernel, steps, spacing, x_T, combiner=None, labels=None):
    """The sample in variance-preserving coordinates, float64."""
    task = tasks.SuperResolution(factor=2, noise=tasks.GaussianNoise(0.0))
    sampler = Sampler(model, task, guidance, kernel, steps, spacing, combiner=combiner or Conditional())
    streams = NoiseStreams([SampleKey(0, name) for name in "abcd"])
    columns = {} if labels is None else {"label": labels}
    process = sampler.begin(Examples(torch.zeros(4, *SHAPE, dtype=torch.float64), columns), streams)
    *_, record = sampler.run(process, x_T)
    return record.x_prev


def test_eulers_method_on_the_flow_is_ddim_without_noise():
    model, steps = MODELS["flow"], 12
    x, v = STATES.clone(), Native(lambda t: (1 - t, t), lambda clean, noise: noise - clean)
    for k in range(steps):  # in the flow's own coordinates, from t = 1, where they are those of the state
        x = x + (-1 / steps) * v(x, torch.tensor([1 - k / steps], dtype=torch.float64))
    ours = run(model, Unguided(), DDIM(0.0), steps, Even(), STATES)
    torch.testing.assert_close(ours, x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("method", ["dps", "dsg", "cfg", "cfg and dsg"])
@pytest.mark.parametrize("name", MODELS)
def test_methods_do_the_same_in_all_coordinates_on_matching_levels(name, method):
    guidance = {"dps": DPS(0.1), "cfg": Unguided()}.get(method, DSG(guidance_rate=0.2))
    combiner = ClassifierFree(3.0) if "cfg" in method else None
    labels = torch.tensor([0, 1, 1, 0]) if "cfg" in method else None
    spacing = LogSNR(-8.7, 8.0)  # levels that all of them have
    found, expected = (
        run(model, guidance, DDIM(1.0), 15, spacing, STATES, combiner, labels)
        for model in (MODELS[name], exact(MODELS["vp epsilon"]))
    )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_karras_levels_serve_every_schedule_that_has_them():
    spacing = Karras(sigma_min=0.05, sigma_max=50.0)
    one, other = (run(MODELS[name], DPS(0.1), DDIM(1.0), 10, spacing, STATES) for name in ("edm", "flow"))
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)
