"""Guidance by combining predictions: what each combiner is where it can be known exactly, and under loss guidance."""

from __future__ import annotations

import dataclasses
import importlib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor, nn

import dsg.combiners
from dsg.combiners import (
    APG,
    Autoguidance,
    CFGPlusPlus,
    CFGZeroStar,
    ClassifierFree,
    ClassifierGuidance,
    Conditional,
    FrequencyDecoupled,
    MixtureClassifier,
    PredictionCombiner,
)
from dsg.combiners.acted_on import part, with_part
from dsg.data.examples import Examples
from dsg.data.held_out import HeldOutPortraits
from dsg.diffusion.condition import Condition
from dsg.diffusion.kernels import DDIM, DDPM, ReverseKernel
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.diffusion.spacing import Even
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, Guidance, Unguided
from dsg.models.base import ScoreModel
from dsg.models.labels import labels_for
from dsg.models.mixture import GaussianMixture
from dsg.module import GuidedDiffusion
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from dsg.types import per_sample_norm
from tasks import RandomInpainting
from tests.toy import Toy

STEPS = 10
TASK = RandomInpainting()


class ClassToy(Toy):
    """The toy with four classes and a null class, each of which shifts its images."""

    def __init__(self, learns_variance: bool = False, strength: float = 0.3) -> None:
        super().__init__(16, learns_variance)
        self.num_classes = self.null_class = 4
        self.strength = strength

    def forward(self, x_t: Tensor, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        labels = labels_for(x_t, condition, self.num_classes, self.null_class)
        assert labels is not None
        shift = self.strength * torch.tanh(x_t.roll(1, dims=-1) + labels.reshape(-1, 1, 1, 1) - 2.0)
        return super().forward(x_t, level).shifted(shift, level)


class ToyClassifier(dsg.combiners.NoisyClassifier):
    num_classes = 4

    def log_prob(self, x_t: Tensor, level: NoiseLevel, labels: Tensor) -> Tensor:
        logits = torch.tanh(x_t[:, :2, :2, 0].flatten(1) * level.alpha_bar**0.5) * 3
        return logits.log_softmax(1).gather(1, labels[:, None])[:, 0]


class TwoGaussians(ScoreModel):
    """N(mean, variance) with a condition, and N(0, other) without one: linear in the state, in its own precision."""

    def __init__(self, mean: float, variance: float, other: float, timesteps: int = 1000) -> None:
        super().__init__()
        self.schedule = NoiseSchedule("linear", timesteps, 0.1 / timesteps, 20.0 / timesteps)
        self.shape, self.num_classes, self.null_class = (1,), 1, 1
        self.of = {True: (mean, variance), False: (0.0, other)}

    def forward(self, x_t: Tensor, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        (mean, variance), a = self.of[condition is not None], level.alpha_bar
        epsilon = level.noise * (x_t - level.signal * mean) / (a * variance + 1 - a)
        return Prediction.from_epsilon(epsilon, x_t, level)


@dataclass(frozen=True)
class Case:
    """A combiner, the network evaluations that a guided step of it takes, and its steps without any."""

    combiner: PredictionCombiner
    evaluations: int
    free_steps: int = 0


COMBINERS = {
    "conditional": Case(Conditional(), 1),
    "cfg": Case(ClassifierFree(2.0), 2),
    "cfg, rescaled": Case(ClassifierFree(2.0, rescale=0.7), 2),
    "cfg++": Case(CFGPlusPlus(0.6), 2),
    "apg": Case(APG(2.0, momentum=-0.5, norm_threshold=2.0), 2),
    "cfg-zero*": Case(CFGZeroStar(2.0), 2, free_steps=1),
    "frequency-decoupled": Case(FrequencyDecoupled(1.5, high_scale=3.0), 2),
    "autoguidance": Case(Autoguidance(2.0, guide=ClassToy(strength=0.1)), 2),
    "classifier guidance": Case(ClassifierGuidance(ToyClassifier(), 2.0, conditional=False), 1),
}
EXTRAPOLATIONS = {
    "cfg": ClassifierFree(2.0),
    "cfg, rescaled": ClassifierFree(2.0, rescale=0.7),
    "apg": APG(2.0),
    "cfg-zero*": CFGZeroStar(2.0),
    "frequency-decoupled": FrequencyDecoupled(2.0, high_scale=1.0),
    "autoguidance": Autoguidance(2.0, guide=ClassToy(strength=0.1)),
}
every_combiner = pytest.mark.parametrize("case", COMBINERS.values(), ids=COMBINERS)
every_extrapolation = pytest.mark.parametrize("combiner", EXTRAPOLATIONS.values(), ids=EXTRAPOLATIONS)
every_guidance = pytest.mark.parametrize("guidance", [DPS(0.5), DSG(guidance_rate=0.2)], ids=["dps", "dsg"])


def references(count: int) -> Tensor:
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.avg_pool2d(images, 5, 1, 2) * 2


def begin(
    combiner: PredictionCombiner,
    labels: list[int] | None,
    guidance: Guidance | None = None,
    model: ScoreModel | None = None,
    kernel: ReverseKernel | None = None,
    which: slice = slice(None),
    clip: bool = True,
) -> tuple[Sampler, ReverseProcess]:
    sampler = Sampler(
        model or ClassToy(),
        TASK,
        guidance or Unguided(),
        kernel or DDIM(),
        STEPS,
        clip_denoised=clip,
        combiner=combiner,
    )
    keys = [SampleKey(0, f"{i}") for i in range(4)][which]
    columns = {} if labels is None else {"label": torch.tensor(labels)[which]}
    return sampler, sampler.begin(Examples(references(4)[which], columns), NoiseStreams(keys))


def sample(*args, **options) -> tuple[Tensor, list[StepRecord], ReverseProcess]:
    sampler, process = begin(*args, **options)
    records = list(sampler.run(process))
    return records[-1].x_prev, records, process


LABELS = [0, 1, 2, 3]


@every_extrapolation
@pytest.mark.parametrize("learns_variance", [False, True])
def test_a_scale_of_one_is_the_conditional_model_bit_for_bit_by_one_evaluation(combiner, learns_variance):
    model, kernel = ClassToy(learns_variance), DDPM("learned_range") if learns_variance else DDIM()
    off = dataclasses.replace(combiner, guidance_scale=1.0)
    x, _, process = sample(off, LABELS, model=model, kernel=kernel)
    expected, _, _ = sample(Conditional(), LABELS, model=model, kernel=kernel)
    assert torch.equal(x, expected)
    assert process.forwards == STEPS


@pytest.mark.parametrize("combiner", [ClassifierFree(0.0), CFGPlusPlus(0.0)], ids=["cfg", "cfg++"])
def test_a_scale_of_zero_is_the_unconditional_model_bit_for_bit(combiner):
    assert torch.equal(sample(combiner, LABELS)[0], sample(Conditional(), None)[0])


def test_a_classifier_without_strength_is_the_score_model_bit_for_bit():
    combiner = ClassifierGuidance(ToyClassifier(), 0.0)
    assert torch.equal(sample(combiner, LABELS)[0], sample(Conditional(), LABELS)[0])


@every_extrapolation
def test_outside_the_interval_a_step_is_conditional_and_takes_one_evaluation(combiner):
    times = [step.t for step in Even().steps(NoiseSchedule(), STEPS)]
    inner = dataclasses.replace(combiner, t_low=times[6], t_high=times[3])
    sampler, process = begin(inner, LABELS)
    counts, before = [], 0
    for record in sampler.run(process):
        counts.append(process.forwards - before)
        before = process.forwards
        conditional = Conditional().predict(record.x_t, record.step, begin(inner, LABELS)[1])
        assert torch.equal(record.prediction.epsilon, conditional.epsilon) == (counts[-1] == 1)
    assert counts == [1, 1, 1, 2, 2, 2, 2, 1, 1, 1]


@every_combiner
@pytest.mark.parametrize("learns_variance", [False, True])
def test_a_combiner_evaluates_the_network_as_often_as_it_declares(case, learns_variance):
    ddim = not learns_variance or isinstance(case.combiner, CFGPlusPlus)
    kernel = DDIM() if ddim else DDPM("learned_range")
    x, _, process = sample(case.combiner, LABELS, DPS(0.5), ClassToy(learns_variance), kernel)
    assert process.forwards == case.evaluations * (STEPS - case.free_steps)
    assert process.backwards == STEPS
    assert x.isfinite().all()


@every_combiner
@pytest.mark.parametrize("guidance", [Unguided(), DPS(0.5), DSG(guidance_rate=0.2)], ids=["unguided", "dps", "dsg"])
def test_a_batch_of_four_is_four_batches_of_one(case, guidance):
    together, _, _ = sample(case.combiner, LABELS, guidance)
    for i in range(4):
        alone, _, _ = sample(case.combiner, LABELS, guidance, which=slice(i, i + 1))
        assert torch.allclose(together[i], alone[0], atol=1e-4)


@every_combiner
@every_guidance
def test_loss_guidance_over_a_combiner_lowers_the_loss(case, guidance):
    without, _, process = sample(case.combiner, LABELS)
    x, records, _ = sample(case.combiner, LABELS, guidance)
    assert x.isfinite().all()
    assert TASK.loss(x, process.measurement).mean() < TASK.loss(without, process.measurement).mean()
    held = [t for r in records for t in (r.x_prev, r.prediction.clean_estimate, r.prediction.epsilon, r.gradient)]
    assert not any(tensor.requires_grad for tensor in held if tensor is not None)


@every_combiner
def test_the_loss_gradient_goes_through_the_combined_prediction(case):
    """Against central differences of the loss, along a random direction, after a step that gives momentum."""
    steps = Even().steps(ClassToy().schedule, STEPS)
    x_t, towards = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(3)).double()

    def at(x: Tensor) -> tuple[Tensor, Tensor]:
        _, process = begin(case.combiner, LABELS, clip=False)
        process.score_model.double()
        for network in case.combiner.networks():
            network.double()
        process.predict(x_t, steps[4])
        guide = process.loss_gradient(x, steps[5])
        return guide.loss, guide.gradient

    _, gradient = at(x_t)
    difference = (at(x_t + 1e-2 * towards)[0] - at(x_t - 1e-2 * towards)[0]) / 2e-2
    assert (gradient * towards).flatten(1).sum(1).tolist() == pytest.approx(difference.tolist(), rel=2e-2, abs=2e-3)
    alone = begin(Conditional(), LABELS, clip=False)[1].loss_gradient(x_t.float(), steps[5]).gradient.double()
    differs = (gradient - alone).norm() / alone.norm()
    assert differs < 1e-3 if isinstance(case.combiner, Conditional) else differs > 1e-2


# --- combiners with their parts off -----------------------------------------------------------------------------------

GUIDED = Even().steps(NoiseSchedule(), STEPS)[1:]


def predictions(combiner: PredictionCombiner, x_t: Tensor, clip: bool = True) -> list[Prediction]:
    _, process = begin(combiner, LABELS, clip=clip)
    return [process.predict(x_t, step) for step in GUIDED]


@pytest.mark.parametrize(
    ("combiner", "exact"),
    [
        (ClassifierFree(3.0, rescale=0.0), True),
        (APG(3.0, momentum=0.0, norm_threshold=None, parallel=1.0), False),
        (APG(3.0, momentum=0.0, norm_threshold=1e9, parallel=1.0), False),
        (CFGZeroStar(3.0, optimized_scale=False, zero_steps=0), False),
        (ClassifierFree(3.0, t_low=0.0, t_high=999.0), True),
        (FrequencyDecoupled(3.0, high_scale=3.0), True),
    ],
)
def test_a_combiner_with_its_parts_off_is_classifier_free_guidance(combiner, exact):
    x_t = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    for found, expected in zip(predictions(combiner, x_t), predictions(ClassifierFree(3.0), x_t), strict=True):
        # ε of a clamped x̂ is its rounding over √(1−ā), 0.01 at the last level
        assert torch.allclose(found.epsilon, expected.epsilon, rtol=0, atol=0 if exact else 3e-5)
        assert torch.allclose(found.clean_estimate, expected.clean_estimate, rtol=0, atol=0 if exact else 1e-4)


def test_autoguidance_by_the_unconditional_part_of_a_model_is_classifier_free_guidance():
    class Unconditional(ClassToy):
        """What the class-conditional toy says of the null class."""

        def __init__(self) -> None:
            super().__init__()
            self.num_classes = None

        def forward(self, x_t: Tensor, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
            assert condition is None
            return ClassToy().forward(x_t, level)

    found, _, _ = sample(Autoguidance(3.0, guide=Unconditional()), LABELS)
    assert torch.equal(found, sample(ClassifierFree(3.0), LABELS)[0])


# --- each formula -----------------------------------------------------------------------------------------------------


def one_step(combiner: PredictionCombiner, position: int = 4) -> tuple[Tensor, ...]:
    """x̂ of the combiner, of the class and of the null class at one state, unclipped, and that state's step."""
    step = Even().steps(ClassToy().schedule, STEPS)[position]
    x_t = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    found = begin(combiner, LABELS, clip=False)[1].predict(x_t, step)
    conditional = begin(Conditional(), LABELS, clip=False)[1].predict(x_t, step)
    unconditional = begin(Conditional(), None, clip=False)[1].predict(x_t, step)
    return x_t, step, found, conditional, unconditional


def test_full_rescaling_gives_the_velocity_the_spread_of_the_conditional_one():
    _, step, found, conditional, _ = one_step(ClassifierFree(5.0, rescale=1.0))
    plain = one_step(ClassifierFree(5.0))[2]
    spreads = [p.v(step).flatten(1).std(1) for p in (found, conditional, plain)]
    assert torch.allclose(spreads[0], spreads[1], rtol=1e-4)
    assert not torch.allclose(spreads[2], spreads[1], rtol=1e-2)


KINDS = ("epsilon", "v", "denoised", "velocity")


def predicting(kind: str) -> ScoreModel:
    model = ClassToy()
    model.predicts = kind
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_full_rescaling_gives_what_it_acts_on_the_spread_of_the_conditional_one(kind):
    x_t, step, found, conditional, _ = one_step(ClassifierFree(5.0, rescale=1.0, acts_on=kind))
    spreads = [part(prediction, kind, step).flatten(1).std(1) for prediction in (found, conditional)]
    assert torch.allclose(spreads[0], spreads[1], rtol=1e-4)
    both = step.signal * found.clean_estimate + step.noise * found.epsilon
    assert torch.allclose(both, x_t, atol=1e-4)  # the halves belong to each other


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_prediction_there_and_back_is_the_same_prediction(kind):
    x_t, step, found, _, unconditional = one_step(ClassifierFree(5.0))
    again = with_part(unconditional, kind, part(found, kind, step), x_t, step)
    assert torch.allclose(again.epsilon, found.epsilon, atol=1e-4)
    assert torch.allclose(again.clean_estimate, found.clean_estimate, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_apg_from_the_unconditional_with_its_parts_off_is_classifier_free_guidance_at_every_scale(kind):
    for scale in (0.0, 1.0, 3.0):
        apg = APG(scale, momentum=0.0, parallel=1.0, acts_on=kind, start="unconditional")
        found, expected = one_step(apg)[2], one_step(ClassifierFree(scale))[2]
        assert torch.allclose(found.clean_estimate, expected.clean_estimate, atol=1e-4)
    less = APG(1.0, momentum=0.0, acts_on=kind, start="unconditional")
    assert not torch.allclose(one_step(less)[2].clean_estimate, expected.clean_estimate, atol=1e-2)


def test_what_a_combiner_acts_on_may_be_what_the_network_predicts():
    step = Even().steps(ClassToy().schedule, STEPS)[4]
    x_t = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    for kind in KINDS:
        _, process = begin(CFGZeroStar(3.0, acts_on="prediction"), LABELS, model=predicting(kind), clip=False)
        found = process.predict(x_t, step)
        expected = begin(CFGZeroStar(3.0, acts_on=kind), LABELS, clip=False)[1].predict(x_t, step)
        assert torch.equal(found.clean_estimate, expected.clean_estimate)


def test_v_there_and_back_is_the_same_prediction():
    level = NoiseLevel.from_alpha_bar(500, 0.08)
    clean, epsilon = torch.randn(2, 4, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x_t = level.signal * clean + level.noise * epsilon
    prediction = Prediction.from_epsilon(epsilon, x_t, level)
    v = prediction.v(level)
    assert torch.allclose(v, 0.08**0.5 * epsilon - (1 - 0.08) ** 0.5 * clean)
    again = Prediction.from_v(v, x_t, level)
    assert torch.allclose(again.epsilon, epsilon)
    assert torch.allclose(again.clean_estimate, clean)


def test_apg_moves_at_right_angles_to_the_conditional_estimate_by_no_more_than_the_cap():
    _, _, found, conditional, unconditional = one_step(APG(3.0, momentum=0.0, norm_threshold=1.5, parallel=0.0))
    move = found.clean_estimate - conditional.clean_estimate
    inner = (move * conditional.clean_estimate).flatten(1).sum(1)
    assert (inner.abs() < 1e-3 * per_sample_norm(move) * per_sample_norm(conditional.clean_estimate)).all()
    difference = conditional.clean_estimate - unconditional.clean_estimate
    assert (per_sample_norm(difference) > 1.5).all()
    assert (per_sample_norm(move) <= 2.0 * 1.5 + 1e-4).all()


def test_apg_adds_the_guidance_of_the_steps_before_with_its_momentum():
    steps, x_t = Even().steps(ClassToy().schedule, STEPS)[4:7], references(4)
    _, process = begin(APG(2.0, momentum=-0.5, parallel=1.0), LABELS, clip=False)
    found = [process.predict(x_t, step).clean_estimate for step in steps]
    conditional, unconditional = (
        [begin(Conditional(), labels, clip=False)[1].predict(x_t, step).clean_estimate for step in steps]
        for labels in (LABELS, None)
    )
    average: Tensor | float = 0.0
    for x, c, u in zip(found, conditional, unconditional, strict=True):
        average = c - u - 0.5 * average
        assert torch.allclose(x, c + average, atol=1e-4)


def test_a_step_that_is_taken_again_has_the_momentum_of_the_steps_before_it_alone():
    steps, x_t = Even().steps(ClassToy().schedule, STEPS)[4:6], references(4)
    _, process = begin(APG(2.0), LABELS)
    process.predict(x_t, steps[0])
    first, again = (process.predict(x_t, steps[1]).clean_estimate for _ in range(2))
    assert torch.equal(first, again)


def test_momentum_does_not_leak_from_one_batch_to_the_next():
    combiner = APG(2.0)
    before, (sampler, _) = repr(combiner), begin(combiner, LABELS)
    streams = (NoiseStreams([SampleKey(0, f"{i}") for i in range(4)]) for _ in range(2))
    batches = [sampler.begin(Examples(references(4), {"label": torch.tensor(LABELS)}), own) for own in streams]
    first, second = (list(sampler.run(batch))[-1].x_prev for batch in batches)
    assert torch.equal(first, second)
    assert repr(combiner) == before
    assert not torch.equal(first, sample(APG(2.0, momentum=0.0), LABELS)[0])


@every_combiner
def test_a_combiner_cannot_be_changed(case):
    if dataclasses.is_dataclass(case.combiner):
        for field in dataclasses.fields(case.combiner):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(case.combiner, field.name, 1)


def test_the_fitted_scale_of_cfg_zero_leaves_no_conditional_velocity_along_the_unconditional_one():
    _, step, found, conditional, unconditional = one_step(CFGZeroStar(3.0))
    v, v_c, v_u = (p.v(step).flatten(1) for p in (found, conditional, unconditional))
    assert ((v - v_c) * v_u).sum(1).abs().max() < 1e-2  # v − v_c = (γ − 1)(v_c − s* v_u)
    fitted = (v_c * v_u).sum(1, keepdim=True) / v_u.square().sum(1, keepdim=True) * v_u
    assert torch.allclose(v, fitted + 3.0 * (v_c - fitted), atol=1e-4)


def test_cfg_zero_starts_with_a_velocity_of_zero():
    x_t, step, found, _, _ = one_step(CFGZeroStar(3.0, zero_steps=5))
    assert torch.allclose(found.v(step), torch.zeros_like(x_t), atol=1e-5)
    assert torch.allclose(found.clean_estimate, step.alpha_bar**0.5 * x_t, atol=1e-5)


@pytest.mark.parametrize("clip", [False, True])
def test_cfg_plus_plus_estimates_with_the_combined_and_renoises_with_the_unconditional_prediction(clip):
    step = Even().steps(ClassToy().schedule, STEPS)[4]
    x_t = 2 * torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    found = begin(CFGPlusPlus(0.6), LABELS, clip=clip)[1].predict(x_t, step)
    combined = begin(ClassifierFree(0.6), LABELS, clip=clip)[1].predict(x_t, step)
    unconditional = begin(Conditional(), None, clip=clip)[1].predict(x_t, step)
    assert torch.equal(found.clean_estimate, combined.clean_estimate)
    assert torch.equal(found.epsilon, unconditional.epsilon)
    a = step.prev.alpha_bar
    expected = a**0.5 * combined.clean_estimate + (1 - a) ** 0.5 * unconditional.epsilon
    assert torch.allclose(DDIM(0.0).transition(x_t, found, step).mean, expected)


def mixture() -> GaussianMixture:
    means = [[-2.0, 0.0], [1.0, 1.5], [2.0, -1.0], [0.0, 3.0]]
    return GaussianMixture([0.3, 0.2, 0.4, 0.1], means, [0.5, 0.3, 0.8, 0.2], classes=[0, 0, 1, 2])


@pytest.mark.parametrize(("conditional", "scale"), [(True, 1.5), (False, 2.5)])
@pytest.mark.parametrize("kernel", [DDIM(0.0), DDPM()], ids=["ddim", "ddpm"])
def test_guidance_by_the_exact_classifier_is_classifier_free_guidance(conditional, scale, kernel):
    """∇ log p(c|x_t) = s_c − s: s = γ on the unconditional model, w = γ − 1 on the conditional one."""
    model = mixture()
    labels = torch.tensor([0, 1, 2, 0])
    x_t = 1.5 * torch.randn(4, 2, generator=torch.Generator().manual_seed(3))
    classifier = ClassifierGuidance(MixtureClassifier(model), scale, conditional)
    for step in Even().steps(model.schedule, 20):
        exact, free = (
            kernel.transition(x_t, combiner.predict(x_t, step, _plain(model, kernel, combiner, labels)), step).mean
            for combiner in (classifier, ClassifierFree(2.5))
        )
        assert torch.allclose(exact, free, rtol=1e-3, atol=1e-3)


def _plain(model: ScoreModel, kernel: ReverseKernel, combiner: PredictionCombiner, labels: Tensor) -> ReverseProcess:
    sampler = Sampler(model, _Nothing(), Unguided(), kernel, 20, clip_denoised=False, combiner=combiner)
    examples = Examples(torch.zeros(len(labels), 1, 1, 1), {"label": labels})
    return sampler.begin(examples, NoiseStreams([SampleKey(0, "a")] * len(labels)))


class _Nothing(RandomInpainting):
    """Measures nothing."""

    def measure(self, *_):
        return None


# --- the law that guided Gaussians follow -----------------------------------------------------------------------------


def guided_law(model: TwoGaussians, gamma: float, kernel: ReverseKernel) -> tuple[float, float]:
    """Mean and variance of the samples from x_T ~ N(0, 1), exactly: every step is affine in x and adds its noise."""
    labels = torch.zeros(2, dtype=torch.long)
    process = _plain(model, kernel, ClassifierFree(gamma), labels)
    mean, variance = 0.0, 1.0
    for step in Even().steps(model.schedule, len(model.schedule)):
        ends = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
        transition = kernel.transition(ends, process.predict(ends, step), step)
        at_zero, at_one = transition.mean[:, 0].tolist()
        slope = at_one - at_zero
        mean, variance = at_zero + slope * mean, slope**2 * variance + float(transition.std) ** 2
    return mean, variance


@pytest.mark.parametrize("gamma", [1.0, 2.0, 5.0])
def test_classifier_free_guidance_narrows_a_gaussian_by_the_law_of_its_sampler_and_not_to_the_tilted_one(gamma):
    """p(x|c) = N(0,1), p = N(0,2): DDIM 2^(1−γ), DDPM (2 − 2^(2−2γ))/(2γ−1), tilt 2/(γ+1) (2408.09000)."""
    model = TwoGaussians(0.0, 1.0, 2.0, timesteps=4000)
    tolerance = 0.01
    deterministic = guided_law(model, gamma, DDIM(0.0))[1]
    stochastic = guided_law(model, gamma, DDPM())[1]
    assert deterministic == pytest.approx(2 ** (1 - gamma), rel=tolerance)
    assert stochastic == pytest.approx((2 - 2 ** (2 - 2 * gamma)) / (2 * gamma - 1), rel=tolerance)
    tilted = 2 / (gamma + 1)
    assert gamma == 1.0 or max(deterministic, stochastic) < 0.95 * tilted


@pytest.mark.parametrize("gamma", [1.0, 4.0])
@pytest.mark.parametrize("kernel", [DDIM(0.0), DDIM(1.0), DDPM()], ids=["ddim", "ddim, η = 1", "ddpm"])
def test_classifier_free_guidance_of_equal_variances_is_the_tilted_gaussian(gamma, kernel):
    """p(x|c) = N(μ, s²), p = N(0, s²): guidance gives N(γμ, s²), whatever the sampler."""
    model = TwoGaussians(0.7, 0.6, 0.6, timesteps=4000)
    mean, variance = guided_law(model, gamma, kernel)
    assert mean == pytest.approx(gamma * 0.7, rel=0.01)
    assert variance == pytest.approx(0.6, rel=0.01)


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ClassifierFree(-1.0), "guidance_scale"),
        (lambda: ClassifierFree(float("nan")), "guidance_scale"),
        (lambda: ClassifierFree(2.0, t_low=500, t_high=400), "t_low"),
        (lambda: ClassifierFree(2.0, t_low=-1), "t_low"),
        (lambda: ClassifierFree(2.0, rescale=1.5), "rescale"),
        (lambda: CFGPlusPlus(1.5), "guidance_scale"),
        (lambda: APG(2.0, momentum=1.0), "momentum"),
        (lambda: APG(2.0, norm_threshold=0.0), "norm_threshold"),
        (lambda: APG(2.0, parallel=-0.1), "parallel"),
        (lambda: CFGZeroStar(2.0, zero_steps=-1), "zero_steps"),
        (lambda: CFGZeroStar(2.0, floor=-1e-8), "floor"),
        (lambda: CFGZeroStar(2.0, acts_on="x"), "acts_on: .*epsilon, v, denoised, velocity, prediction"),
        (lambda: ClassifierFree(2.0, acts_on="flow"), "acts_on: .* 'flow' is called velocity here"),
        (lambda: APG(2.0, acts_on="x"), "acts_on"),
        (lambda: APG(2.0, start="weak"), "start: .*conditional or unconditional"),
        (lambda: ClassifierGuidance(ToyClassifier(), -1.0), "guidance_scale"),
        (lambda: MixtureClassifier(GaussianMixture.standard_normal((2,))), "classes"),
    ],
)
def test_a_parameter_outside_its_range_is_named(make, says):
    with pytest.raises(UserError, match=says):
        make()


def without_null_class() -> ScoreModel:
    model = ClassToy()
    model.null_class = None
    return model


@pytest.mark.parametrize(
    ("combiner", "model", "says"),
    [
        (ClassifierFree(2.0), Toy(), "with classes"),
        (CFGPlusPlus(0.5), Toy(), "with classes"),
        (APG(2.0), without_null_class(), "null_class"),
        (APG(2.0, acts_on="prediction"), ClassToy(), "ClassToy does not say .* epsilon, v, denoised, velocity"),
        (CFGZeroStar(2.0, acts_on="prediction"), ClassToy(), "ClassToy does not say"),
        (APG(2.0, acts_on="prediction"), predicting("score"), "predicts the score, .* set it to epsilon"),
        (ClassifierFree(2.0, rescale=0.5, acts_on="prediction"), ClassToy(), "ClassToy does not say"),
        (CFGZeroStar(2.0), without_null_class(), "null_class"),
        (ClassifierGuidance(ToyClassifier(), 1.0, conditional=False), without_null_class(), "null_class"),
        (ClassifierGuidance(MixtureClassifier(mixture()), 1.0), ClassToy(), "3 classes"),
        (Autoguidance(2.0, guide=Toy(8)), Toy(16), "states"),
        (Autoguidance(2.0, guide=TwoGaussians(0, 1, 1)), TwoGaussians(0, 1, 1, 500), "schedule"),
        (Autoguidance(2.0, guide=ClassToy()), Toy(), "4 classes"),
    ],
)
def test_a_score_model_that_does_not_suit_the_combiner_is_refused_before_the_first_sample(combiner, model, says):
    with pytest.raises(UserError, match=says):
        Sampler(model, TASK, Unguided(), combiner=combiner)


@pytest.mark.parametrize(
    "combiner", [ClassifierFree(2.0), CFGPlusPlus(), APG(), CFGZeroStar(), ClassifierGuidance(ToyClassifier())]
)
def test_data_without_labels_is_refused(combiner):
    with pytest.raises(UserError, match=r"set data\.labels"):
        sample(combiner, None)


def portraits_like(num_classes: int | None = 8) -> ScoreModel:
    model = ClassToy()
    model.shape = (3, 64, 64)
    model.num_classes = model.null_class = num_classes
    return model


def test_an_evaluation_finds_missing_labels_before_the_first_sample():
    module = GuidedDiffusion(portraits_like(), TASK, Unguided(), DDIM(), combiner=ClassifierFree(2.0))
    with pytest.raises(UserError, match=r"ClassifierFree guides by class.*set data\.labels"):
        module.check(HeldOutPortraits(labels=False))
    module.check(HeldOutPortraits(labels=True))


def test_classifier_guidance_lends_its_classes_to_an_unconditional_model():
    classifier = ToyClassifier()
    classifier.num_classes = 8
    module = GuidedDiffusion(portraits_like(None), TASK, Unguided(), DDIM(), combiner=ClassifierGuidance(classifier))
    module.check(HeldOutPortraits(labels=True))


def test_a_method_that_moves_the_estimate_keeps_the_noise_that_cfg_plus_plus_puts_back():
    step = Even().steps(NoiseSchedule(), 10)[4]
    prediction = Prediction(torch.randn(2, 3), torch.randn(2, 3))  # its parts do not belong to each other
    shift = torch.randn(2, 3)
    moved = prediction.moved_to(prediction.clean_estimate + shift, step)
    change = -((step.alpha_bar / (1 - step.alpha_bar)) ** 0.5) * shift
    assert torch.allclose(moved.epsilon - prediction.epsilon, change, atol=1e-5)


def test_cfg_plus_plus_asks_for_ddim():
    with pytest.raises(UserError, match="DDIM"):
        sample(CFGPlusPlus(0.6), LABELS, kernel=DDPM())


# --- around the combiners ---------------------------------------------------------------------------------------------


def test_networks_of_a_combiner_move_with_the_module_and_are_frozen():
    class Learned(ToyClassifier):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 4)

    for combiner in (Autoguidance(2.0, guide=Toy()), ClassifierGuidance(Learned())):
        module = GuidedDiffusion(Toy(), TASK, Unguided(), DDIM(), combiner=combiner)
        (network,) = combiner.networks()
        module.to(torch.float64)
        assert all(p.dtype == torch.float64 and not p.requires_grad for p in network.parameters())
        assert not network.training


def test_a_combiner_configuration_spells_out_every_parameter():
    folder = Path(__file__).parents[2] / "configs" / "combiner"
    files = sorted(folder.glob("*.yaml"))
    assert len(files) >= 6
    for path in files:
        section = yaml.safe_load(path.read_text())["model"]["combiner"]
        module, name = section["class_path"].rsplit(".", 1)
        combiner = getattr(importlib.import_module(module), name)
        fields = dataclasses.fields(combiner) if dataclasses.is_dataclass(combiner) else ()
        assert set(section.get("init_args", {})) == {field.name for field in fields}, path.name


def test_classifier_free_guidance_of_the_portraits_is_written_in_a_configuration(capsys):
    from train_free_eval import main

    configs = Path(__file__).parents[2] / "configs"
    for path in sorted((configs / "combiner").glob("*.yaml")):
        if path.stem.startswith("tokens"):  # of another kind of process
            continue
        experiment = configs / "experiment" / "portraits_inpainting_dsg.yaml"
        given = ["--config", str(experiment), "--config", str(path), "--run_dir", "unused", "--print_config"]
        with pytest.raises(SystemExit) as end:
            main(["predict", *given])
        assert end.value.code == 0, path.name
        assert yaml.safe_load(path.read_text())["model"]["combiner"]["class_path"] in capsys.readouterr().out
