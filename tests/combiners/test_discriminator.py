"""Discriminator guidance: exact where the discriminator is, and under other combiners, kernels and DSG's step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import tasks
from dsg.combiners import (
    CFGPlusPlus,
    ClassifierFree,
    Conditional,
    DiscriminatorGuidance,
    PiecewiseLinear,
    PredictionCombiner,
)
from dsg.data.examples import Examples
from dsg.diffusion import Even, LogSNR, NoiseSchedule
from dsg.diffusion.condition import ClassLabels, Condition
from dsg.diffusion.kernels import DDIM, DDPM, Heun, ReverseKernel
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DSG, DiscriminatorGradient, Guidance, Unguided
from dsg.models.base import ScoreModel
from dsg.models.discriminator import Discriminator, MixtureDiscriminator
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from dsg.types import PerSample, State
from tests.contract.toys import ToyDiscriminator, ToyOfClasses

STEPS = 8
DATA = GaussianMixture([0.3, 0.7], [[-1.0, 0.5], [1.0, 0.0]], [0.5, 1.0], classes=[0, 1])
MADE = GaussianMixture([0.6, 0.4], [[-0.5, 0.0], [1.5, 0.5]], [0.8, 0.7], classes=[0, 1])
EXACT = MixtureDiscriminator(DATA, MADE)
X = torch.randn(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 0, 1, 1])


def begin(
    combiner: PredictionCombiner | None = None,
    model: ScoreModel = MADE,
    kernel: ReverseKernel | None = None,
    guidance: Guidance | None = None,
    labels: bool = False,
    count: int = 5,
) -> tuple[Sampler, ReverseProcess]:
    kernel = kernel or DDIM(0.0)
    spacing = LogSNR() if isinstance(kernel, Heun) else Even()
    sampler = Sampler(
        model, tasks.Generation(), guidance or Unguided(), kernel, STEPS, spacing, combiner=combiner or Conditional()
    )
    columns = {"label": LABELS[:count]} if labels else {}
    keys = [SampleKey(0, str(i)) for i in range(count)]
    return sampler, sampler.begin(Examples(torch.zeros(count, *model.shape), columns), NoiseStreams(keys))


def run(*args, x_T: Tensor | None = None, **options) -> tuple[Tensor, ReverseProcess]:
    sampler, process = begin(*args, **options)
    *_, last = sampler.run(process, x_T)
    return last.x_prev, process


@pytest.mark.parametrize("conditional", [False, True])
def test_the_exact_discriminator_makes_the_model_s_score_the_data_s(conditional):
    discriminator = MixtureDiscriminator(DATA, MADE, conditional)
    sampler, process = begin(DiscriminatorGuidance(discriminator=discriminator), labels=conditional)
    told: Condition | None = ClassLabels(LABELS) if conditional else None
    for step in sampler.levels:
        found, exact = process.predict(X, step), DATA(X, step, told)
        torch.testing.assert_close(found.epsilon, exact.epsilon)
        torch.testing.assert_close(found.clean_estimate, exact.clean_estimate)


def test_twice_the_weight_is_twice_the_correction_and_it_ends_where_the_interval_does():
    first, *_, last = begin()[0].levels
    for w, step in ((2.0, first), (0.5, last)):
        combiner = DiscriminatorGuidance(w, 0.0, last.t if step is last else None, discriminator=EXACT)
        process = begin(combiner)[1]
        expected = MADE(X, step).epsilon + w * (DATA(X, step).epsilon - MADE(X, step).epsilon)
        torch.testing.assert_close(process.predict(X, step).epsilon, expected)
        other = first if step is last else None
        if other is not None:
            assert torch.equal(process.predict(X, other).epsilon, MADE(X, other).epsilon)


def test_the_weight_may_be_a_function_of_the_level():
    step = begin()[0].levels[3]
    scale = PiecewiseLinear((0.0, 2 * step.t), (0.0, 4.0))
    process = begin(DiscriminatorGuidance(scale, discriminator=EXACT))[1]
    expected = 2 * DATA(X, step).epsilon - MADE(X, step).epsilon
    torch.testing.assert_close(process.predict(X, step).epsilon, expected)


def test_no_weight_is_the_combiner_inside_bit_for_bit():
    base = ClassifierFree(2.0)
    off = DiscriminatorGuidance(0.0, discriminator=ToyDiscriminator((3, 16, 16)), base=base)
    model = ToyOfClasses(16)
    assert torch.equal(run(off, model, labels=True)[0], run(base, model, labels=True)[0])


class Asked(Discriminator):
    """Counts how often it is asked, and where."""

    shape = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[float] = []

    def logit(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> PerSample:
        self.levels.append(level.t)
        return x_t.sum(1)


def test_of_a_step_of_heun_s_the_second_call_can_be_left_alone():
    every, first = Asked(), Asked()
    run(DiscriminatorGuidance(discriminator=every), kernel=Heun())
    sampler, _ = begin(kernel=Heun())
    run(DiscriminatorGuidance(discriminator=first, further_calls=False), kernel=Heun())
    assert len(every.levels) == 2 * STEPS - 1
    assert first.levels == [step.t for step in sampler.levels]


def test_it_takes_the_evaluations_of_the_combiner_inside_and_is_differentiated_under_a_loss():
    combiner = DiscriminatorGuidance(discriminator=ToyDiscriminator((3, 16, 16)), base=ClassifierFree(2.0))
    x, process = run(combiner, ToyOfClasses(16), labels=True)
    assert (process.forwards, process.backwards) == (2 * STEPS, 0)
    assert x.isfinite().all()
    step = process.steps[2]
    guide = process.loss_gradient(x, step, lambda clean: clean.square().flatten(1).sum(1))
    shift = 1e-3 * torch.ones_like(x)
    ends = [process.predict(x + s, step).clean_estimate.square().flatten(1).sum(1) for s in (shift, -shift)]
    along = (guide.gradient * 2 * shift).flatten(1).sum(1)
    torch.testing.assert_close(along, ends[0] - ends[1], rtol=0.02, atol=1e-2)


def test_the_estimate_is_clamped_once_and_what_cfg_plus_plus_put_apart_stays_apart():
    model, discriminator = ToyOfClasses(16), ToyDiscriminator((3, 16, 16))
    plain = begin(CFGPlusPlus(0.6), model, labels=True)[1]
    process = begin(DiscriminatorGuidance(discriminator=discriminator, base=CFGPlusPlus(0.6)), model, labels=True)[1]
    x = torch.randn(5, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    step = plain.steps[4]
    found, before = process.predict(x, step), plain.predict(x, step)
    low, high = model.clean_range
    assert low <= found.clean_estimate.min()
    assert found.clean_estimate.max() <= high
    for prediction in (found, before):
        together = step.signal * prediction.clean_estimate + step.noise * prediction.epsilon
        assert not torch.allclose(together, x, atol=1e-3)
    slight = DiscriminatorGuidance(1e-9, discriminator=discriminator, base=CFGPlusPlus(0.6))
    nearly = begin(slight, model, labels=True)[1].predict(x, step)
    assert torch.allclose(nearly.clean_estimate, before.clean_estimate, atol=1e-5)
    assert torch.allclose(nearly.epsilon, before.epsilon, atol=1e-5)


def test_dsg_goes_over_its_gradient_and_keeps_to_the_shell():
    guidance = DSG(DiscriminatorGradient(EXACT), guidance_rate=0.3)
    sampler, process = begin(kernel=DDIM(1.0), guidance=guidance)
    records = list(sampler.run(process))
    assert all(torch.allclose(r.shell_ratio, torch.ones(5), atol=1e-4) for r in records[:-1])
    assert {r.gradient_kind for r in records[:-1]} == {"discriminator"}
    assert (process.forwards, process.backwards) == (STEPS, 0)


def test_on_the_mean_it_is_the_combiner_as_steps_get_fine():
    """ε by w √(1−ā) g moves the mean of a DDPM step by about σ² g."""
    schedule = NoiseSchedule("linear", 4000, 2.5e-5, 5e-3)
    data, made = (GaussianMixture(m.mixture_weights, m.means, m.covariances, schedule=schedule) for m in (DATA, MADE))
    discriminator = MixtureDiscriminator(data, made)
    ends = []
    for guidance, combiner in (
        (DiscriminatorGradient(discriminator), Conditional()),
        (Unguided(), DiscriminatorGuidance(discriminator=discriminator)),
    ):
        sampler = Sampler(made, tasks.Generation(), guidance, DDPM(), 4000, combiner=combiner)
        process = sampler.begin(Examples(torch.zeros(5, 2)), NoiseStreams([SampleKey(0, str(i)) for i in range(5)]))
        step = sampler.levels[2000]
        ends.append(guidance.step(X, step, process).x_prev - DDPM().transition(X, made(X, step), step).mean)
    torch.testing.assert_close(*ends, rtol=1e-2, atol=1e-3)


def of_other_levels() -> Discriminator:
    discriminator = ToyDiscriminator((2,))
    discriminator.schedule = NoiseSchedule("cosine")
    return discriminator


def of_classes() -> Discriminator:
    discriminator = ToyDiscriminator((2,))
    discriminator.num_classes = 5
    return discriminator


@pytest.mark.parametrize(
    ("discriminator", "says"),
    [
        (ToyDiscriminator((3, 16, 16)), r"its states are \(3, 16, 16\) and the score model's \(2,\)"),
        (of_other_levels(), "its noise schedule is not the score model's"),
        (of_classes(), "it has 5 classes and the score model 2"),
    ],
)
def test_a_discriminator_of_another_size_or_schedule_is_refused_before_the_first_sample(discriminator, says):
    with pytest.raises(UserError, match=f"combiner.discriminator: {says}"):
        begin(DiscriminatorGuidance(discriminator=discriminator))
    with pytest.raises(UserError, match=f"guidance.discriminator: {says}"):
        begin(kernel=DDIM(1.0), guidance=DiscriminatorGradient(discriminator))


@pytest.mark.parametrize("weight", [-1.0, float("inf"), float("nan")])
def test_a_weight_below_zero_or_that_is_not_finite_is_refused(weight):
    with pytest.raises(UserError, match="must be at least 0 and finite"):
        DiscriminatorGuidance(weight, discriminator=EXACT)
    with pytest.raises(UserError, match="must be at least 0 and finite"):
        DiscriminatorGradient(EXACT, weight)


@pytest.mark.parametrize(
    ("made", "conditional", "says"),
    [
        (GaussianMixture.standard_normal((3,)), False, "data are"),
        (GaussianMixture.standard_normal((2,)), True, "needs the same classes, and there are 2 and 0"),
    ],
)
def test_mixtures_that_cannot_be_compared_are_refused(made, conditional, says):
    with pytest.raises(UserError, match=says):
        MixtureDiscriminator(DATA, made, conditional)


def test_one_that_is_told_a_class_needs_labels():
    combiner = DiscriminatorGuidance(discriminator=MixtureDiscriminator(DATA, MADE, conditional=True))
    assert combiner.needs(MADE) == {"label"}
    assert DiscriminatorGuidance(discriminator=EXACT).needs(MADE) == frozenset()
    with pytest.raises(UserError, match=r"set data\.labels"):
        run(combiner)
