"""What a method or a combiner changes reaches the step under every kernel, or the pair is refused with one line."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dsg.combiners import Conditional
from dsg.diffusion.kernels import ReverseKernel, Transition
from dsg.diffusion.level import NoiseLevel, Step
from dsg.diffusion.noise import NoiseStreams
from dsg.diffusion.prediction import Prediction
from dsg.diffusion.schedule import Schedule
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.types import State
from tests.contract.cases import PLAIN
from tests.contract.design import Case
from tests.contract.run import begin, keys, references, unguided

pytestmark = pytest.mark.contract

LATER = 5  # steps before the one that is looked at, where an estimate tells; it is guided whatever the interval


def step_of(case: Case) -> tuple[State, State]:
    """A state on the trajectory, and the case's own step from there."""
    sampler, process = begin(case, references(2), NoiseStreams(keys("ab")))
    process.steps = process.steps[LATER:]
    x_t = torch.randn(2, *case.model.shape, generator=torch.Generator().manual_seed(3))
    return x_t, next(sampler.run(process, x_t)).x_prev


def test_a_method_changes_the_step_under_every_kernel_that_does_not_refuse_it(pair):
    if isinstance(pair.method.guidance, Unguided):
        pytest.skip("it does not guide")
    x_t, guided = step_of(pair)
    _, free = step_of(unguided(pair))
    assert ((guided - free).flatten(1).norm(dim=1) > 1e-3 * (free - x_t).flatten(1).norm(dim=1)).all()


def test_a_combiner_changes_the_step_under_every_kernel_that_does_not_refuse_it(duo):
    if isinstance(duo.combining.of(duo.model), Conditional):
        pytest.skip("it does not combine")
    x_t, combined = step_of(duo)
    _, plain = step_of(replace(duo, combining=PLAIN))
    assert ((combined - plain).flatten(1).norm(dim=1) > 1e-3 * (plain - x_t).flatten(1).norm(dim=1)).all()


def test_a_method_that_does_not_suit_a_kernel_is_refused_in_one_line_before_the_first_sample(refused_pair):
    refused(refused_pair)


def test_a_combiner_that_does_not_suit_a_kernel_is_refused_in_one_line_before_the_first_sample(refused_duo):
    refused(refused_duo)


def refused(case: Case) -> None:
    with pytest.raises(UserError) as refusal:
        case.sampler()
    line = str(refusal.value)
    assert "\n" not in line
    assert "set model.kernel" in line  # how to mend it


class Suspicious(ReverseKernel):
    """A kernel that looks at every prediction: x̂ and ε belong to the state, x_t = √ā x̂ + √(1−ā) ε."""

    def __init__(self, kernel: ReverseKernel) -> None:
        self.kernel, self.evaluations, self.needs_signal = kernel, kernel.evaluations, kernel.needs_signal
        self.seen = 0

    @property
    def is_stochastic(self) -> bool:
        return self.kernel.is_stochastic

    @property
    def reads_variance(self) -> bool:
        return self.kernel.reads_variance

    def transition(self, x_t: State, prediction: Prediction, step: Step, predict=None) -> Transition:
        def further(x: State, level: NoiseLevel) -> Prediction:
            return self._looked_at(predict(x, level), x, level)

        return self.kernel.transition(x_t, self._looked_at(prediction, x_t, step), step, further)

    @property
    def raising_noise(self) -> float:
        return self.kernel.raising_noise

    def raised(self, step: Step, schedule: Schedule) -> Step:
        return self.kernel.raised(step, schedule)

    def _looked_at(self, prediction: Prediction, x_t: State, level: NoiseLevel) -> Prediction:
        if x_t.shape[1:] != (1,):  # where DDNM+ asks the kernel for its response, with a number in place of a state
            again = level.signal * prediction.clean_estimate + level.noise * prediction.epsilon
            assert torch.allclose(again, x_t, atol=1e-4)
            self.seen += 1
        return prediction


def test_a_kernel_that_reads_both_halves_as_one_gets_them_as_one(pair):
    if pair.solver.kernel.renoises:
        pytest.skip("the kernel reads ε apart from x̂")
    kernel = Suspicious(pair.solver.kernel)
    case = replace(pair, solver=replace(pair.solver, kernel=kernel))
    sampler, process = begin(case, references(2), NoiseStreams(keys("ab")))
    for _ in sampler.run(process):
        pass
    asks = pair.method.further != (0, 0)
    assert kernel.seen > 0 or not asks or pair.method.further is None
