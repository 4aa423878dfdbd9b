"""One Gaussian mixture in four coordinates: variance-preserving, variance-exploding, EDM and rectified flow; and in
every convention of their times.

Each native network is written in its own coordinates, from p(x) = Σ w_i N(x; α μ_i, α² S_i + β²) for x = α x_0 + β ε.
"""

import math

import pytest
import torch
from torch import nn

import tasks
from dsg.combiners import ClassifierFree, Conditional
from dsg.data.examples import Examples
from dsg.diffusion import Even, FlowSchedule, Karras, LogSNR, NoiseSchedule, SigmaSchedule, VPSchedule
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.guidance import DPS, DSG, Unguided
from dsg.models.coordinates import RectifiedFlow, VarianceExploding, VariancePreserving
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


def noise_of(clean, noise):
    return noise


def clean_of(clean, noise):
    return clean


def to_noise(clean, noise):
    return noise - clean


MODELS = {
    "vp epsilon": network(timestep_of_the_table, noise_of, "epsilon", TABLE),
    "ve": network(lambda s: (1.0, s), noise_of, "epsilon", SigmaSchedule(0.01, 157), VarianceExploding()),
    "edm": network(lambda s: (1.0, s), clean_of, "denoised", SigmaSchedule(), VarianceExploding()),
    "flow": network(lambda t: (1 - t, t), to_noise, "velocity", FlowSchedule(), RectifiedFlow()),
    "flow of a thousand": network(
        lambda t: (1 - t / 1000, t / 1000), to_noise, "velocity", FlowSchedule(), RectifiedFlow(1000.0)
    ),
}


class Scored(Native):
    """∇ log p of its own state, −E[ε | x]/β."""

    def __init__(self, path):
        super().__init__(path, noise_of)

    def forward(self, x, t, labels=None):
        return -super().forward(x, t, labels) / self.path(t[0].double().item())[1]


def spoken(path, predicts, schedule, coordinates):
    """A network of such a time and of such a word."""
    says = {
        "epsilon": noise_of,
        "denoised": clean_of,
        "velocity": lambda clean, noise: clean - noise if coordinates.data_at_one else noise - clean,
    }
    native = Scored(path) if predicts == "score" else Native(path, says.get(predicts))
    return NetworkModel(native, SHAPE, predicts, schedule, coordinates, clean_range=None, num_classes=2, null_class=2)


def v_at_angle(phi):
    return math.cos(phi), math.sin(phi)


def of_log_snr(log_snr):
    return math.sqrt(1 / (1 + math.exp(-log_snr))), math.sqrt(1 / (1 + math.exp(log_snr)))


def of_score_sde(t):
    root = math.exp(-0.25 * t**2 * 19.9 - 0.5 * t * 0.1)
    return root, math.sqrt(-math.expm1(2 * math.log(root)))


CONVENTIONS = {
    "score, sigma": (lambda s: (1.0, s), "score", SigmaSchedule(), VarianceExploding()),
    "score, timestep": (timestep_of_the_table, "score", TABLE, VariancePreserving()),
    "log sigma": (lambda c: (1.0, math.exp(c)), "denoised", SigmaSchedule(), VarianceExploding(time_as="log_sigma")),
    "quarter of log sigma": (
        lambda c: (1.0, math.exp(4 * c)), "epsilon", SigmaSchedule(), VarianceExploding(time_as="quarter_log_sigma")
    ),
    "log of half of sigma": (
        lambda c: (1.0, 2 * math.exp(c)), "epsilon", SigmaSchedule(), VarianceExploding(time_as="log_half_sigma")
    ),
    "timestep of a thousandth": (
        lambda t: timestep_of_the_table(1000 * t), "epsilon", TABLE, VariancePreserving(0.001)
    ),
    "score_sde": (
        lambda t: of_score_sde(t / 999), "score", VPSchedule(), VariancePreserving(999.0)
    ),
    "log-SNR": (of_log_snr, "epsilon", TABLE, VariancePreserving(time_as="log_snr")),
    "angle": (v_at_angle, "epsilon", TABLE, VariancePreserving(time_as="angle")),
    "angle of 0 to 1": (
        lambda t: v_at_angle(t * math.pi / 2), "epsilon", TABLE, VariancePreserving(2 / math.pi, time_as="angle")
    ),
    "flow to the data": (lambda t: (t, 1 - t), "velocity", FlowSchedule(), RectifiedFlow(data_at_one=True)),
    "flow to the data, of 999": (
        lambda t: (t / 999, 1 - t / 999), "velocity", FlowSchedule(), RectifiedFlow(999.0, data_at_one=True)
    ),
    "denoiser of a flow": (lambda t: (t, 1 - t), "denoised", FlowSchedule(), RectifiedFlow(data_at_one=True)),
}  # fmt: skip
ALL = MODELS | {name: spoken(*convention) for name, convention in CONVENTIONS.items()}


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
@pytest.mark.parametrize("name", ALL)
def test_both_halves_are_those_of_the_mixture_at_twelve_levels_and_both_ends(name, labels):
    model = ALL[name]
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
    x, v = STATES.clone(), Native(lambda t: (1 - t, t), to_noise)
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
