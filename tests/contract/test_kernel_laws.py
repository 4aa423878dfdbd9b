"""What a kernel declares is true, and a kernel alone samples what the model knows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion import Even, LogSNR
from dsg.diffusion.condition import Condition
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import NoiseSchedule
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.models.base import ScoreModel
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from dsg.types import State
from tasks import Denoising
from tests.contract.axes import MODELS, Solver
from tests.toy import Toy

pytestmark = pytest.mark.contract

MODEL = Toy(16, learns_variance=True)
Change = Callable[[Prediction, NoiseLevel], Prediction]
X = torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(5))


def steps_of(solver: Solver) -> list[Step]:
    return solver.spacing.steps(MODEL.schedule, 10)


def transition(solver: Solver, x_t: State, step: Step, change: Change = lambda prediction, level: prediction):
    """The kernel's transition from `x_t`, and the levels evaluated further; `change` guides every prediction."""
    levels: list[NoiseLevel] = []

    def predict(x: State, level: NoiseLevel) -> Prediction:
        levels.append(level)
        return change(MODEL(x, level), level)

    return solver.kernel.transition(x_t, change(MODEL(x_t, step), step), step, predict), levels


def std_of(found) -> torch.Tensor:
    return torch.as_tensor(found.std)


def test_it_adds_noise_on_every_step_but_the_last_or_on_none(kernel):
    *before, last = steps_of(kernel)
    for step in before:
        std = std_of(transition(kernel, X, step)[0])
        assert (std > 0).all() if kernel.kernel.is_stochastic else (std == 0).all(), step
    assert (std_of(transition(kernel, X, last)[0]) == 0).all()


def test_it_takes_as_many_evaluations_as_it_declares(kernel):
    taken = [1 + len(transition(kernel, X, step)[1]) for step in steps_of(kernel)]
    assert max(taken) == kernel.kernel.evaluations
    assert taken[:-1] == [kernel.kernel.evaluations] * (len(taken) - 1)
    assert taken[-1] in (1, kernel.kernel.evaluations)


def test_it_evaluates_at_levels_of_its_own_step_that_have_noise(kernel):
    for step in steps_of(kernel):
        for level in transition(kernel, X, step)[1]:
            assert step.log_snr <= level.log_snr <= step.prev.log_snr
            assert level.noise > 0


def test_a_step_is_finite_the_same_every_time_and_a_sample_s_own(kernel):
    for step in steps_of(kernel):
        together, again = transition(kernel, X, step)[0], transition(kernel, X, step)[0]
        assert together.mean.isfinite().all()
        assert std_of(together).isfinite().all()
        assert torch.equal(together.mean, again.mean)
        assert together.mean.shape == X.shape
        for i in range(len(X)):
            alone = transition(kernel, X[i : i + 1], step)[0]
            assert torch.allclose(alone.mean, together.mean[i : i + 1], atol=1e-4)
            own = together.std[i : i + 1] if isinstance(together.std, torch.Tensor) else together.std
            assert torch.allclose(std_of(alone), torch.as_tensor(own), atol=1e-5)


def test_one_that_renoises_sees_either_half_of_a_prediction_move_alone(kernel):
    if not kernel.kernel.renoises:
        pytest.skip("it reads both halves as one; tests/contract/test_reaches_the_step.py sees that it gets them so")
    step = steps_of(kernel)[4]
    mean = transition(kernel, X, step)[0].mean
    for change in (
        lambda own, level: replace(own, clean_estimate=own.clean_estimate + 0.1),
        lambda own, level: replace(own, epsilon=own.epsilon + 0.1),
    ):
        assert (transition(kernel, X, step, change)[0].mean - mean).abs().min() > 1e-3


def test_a_prediction_that_moves_as_a_whole_moves_the_step_towards_it(kernel):
    def brighter(own: Prediction, level: NoiseLevel) -> Prediction:
        return own.moved_to(own.clean_estimate + 0.1, level)

    for step in steps_of(kernel):
        change = transition(kernel, X, step, brighter)[0].mean - transition(kernel, X, step)[0].mean
        assert (change > 0).all(), step


def test_it_reads_the_learned_variance_exactly_if_it_says_so(kernel):
    step = steps_of(kernel)[4]
    small, large = (
        transition(kernel, X, step, lambda own, level, v=v: replace(own, variance_range=0 * X + v))[0]
        for v in (-1.0, 1.0)
    )
    assert (std_of(large) > std_of(small)).all() == kernel.kernel.reads_variance
    if kernel.kernel.reads_variance:
        with pytest.raises(UserError, match="set variance"):
            Sampler(MODELS["toy"], Denoising(), Unguided(), kernel.kernel, 10, kernel.spacing)


def test_it_starts_from_noise_alone_or_is_refused_in_one_line(kernel):
    if kernel.kernel.reads_variance:
        pytest.skip("the model that starts from noise alone learns no variance")
    model = MODELS["toy from noise alone"]
    options = (model, Denoising(), Unguided(), kernel.kernel, 10, Even())
    if kernel.kernel.needs_signal:
        with pytest.raises(UserError, match=r"cannot start from noise alone \(ā = 0\).*set model.spacing"):
            Sampler(*options)
        return
    sampler = Sampler(*options)
    process = sampler.begin(Examples(torch.zeros(2, 3, 16, 16)), EnsembleStreams(SampleKey(0, "x"), 2))
    *_, last = sampler.run(process)
    assert last.x_prev.isfinite().all()


class Known(ScoreModel):
    """N(0, v I) with its exact score; what it says of its variance is the posterior's."""

    def __init__(self, variance: float, size: int) -> None:
        super().__init__()
        schedule = NoiseSchedule("linear", 1000, 1e-6, 2e-2)
        self.of = GaussianMixture([1.0], torch.zeros(1, size), variance, schedule=schedule)
        self.schedule, self.shape, self.learns_variance = self.of.schedule, self.of.shape, True
        self.freeze()

    def forward(self, x_t: State, level: NoiseLevel, condition: Condition | None = None) -> Prediction:
        return replace(self.of(x_t, level), variance_range=torch.full_like(x_t, -1.0))


@pytest.mark.parametrize("variance", [0.3, 2.0])
def test_with_exact_scores_many_steps_end_at_the_variance_of_the_data(kernel, variance):
    if not kernel.kernel.becomes_exact:
        pytest.skip("it says that it does not")
    spacing = LogSNR() if isinstance(kernel.spacing, Even) else kernel.spacing
    sampler = Sampler(Known(variance, 400), Denoising(), Unguided(), kernel.kernel, 500, spacing, clip_denoised=False)
    process = sampler.begin(Examples(torch.zeros(40, 400)), EnsembleStreams(SampleKey(0, "x"), 40))
    *_, last = sampler.run(process)
    assert last.x_prev.var().item() == pytest.approx(variance, rel=0.08)  # of which four standard errors are 0.045
    assert last.x_prev.mean().item() == pytest.approx(0.0, abs=4 * variance**0.5 / 16_000**0.5)
