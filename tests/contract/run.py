"""How a test of the contract samples with a case, and how often a case may evaluate the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dsg.data.examples import Examples
from dsg.diffusion.noise import NoiseStreams, Purpose, SampleKey
from dsg.guidance import Guidance, Unguided
from dsg.process import ReverseProcess
from dsg.process.trace import StepRecord
from dsg.sampling import Sampler
from tasks import Denoising
from tests.contract.design import Case
from tests.contract.toys import CLASSES


def references(count: int) -> Tensor:
    """Smooth random images, (count, 3, 16, 16) in [−1, 1]."""
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.avg_pool2d(images, 5, 1, 2) * 2


def guided_by(case: Case, guidance: Guidance) -> Case:
    """The case with another method."""
    return replace(case, method=replace(case.method, guidance=guidance))


def unguided(case: Case) -> Case:
    """The case without guidance."""
    return guided_by(case, Unguided())


class UnguidedSamples:
    """Four images without guidance, sampled once for all cases of one model, kernel, combiner and number of steps."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, ...], tuple[Case, Tensor]] = {}

    def of(self, case: Case) -> Tensor:
        """Those of the case. Whatever its task is, no noise of theirs is the task's."""
        key = (id(case.model), id(case.solver), id(case.combining), case.method.steps)
        if key not in self._found:  # the case is kept, so that no id comes to mean another object
            self._found[key] = case, sample(unguided(replace(case, task=Denoising())), references(4), "abcd")[0]
        return self._found[key][1]


def keys(names: Sequence[str], seed: int = 0) -> list[SampleKey]:
    """One a name; a string is a list of letters."""
    return [SampleKey(seed, name) for name in names]


def examples(case: Case, reference: Tensor, names: Sequence[str]) -> Examples:
    """The images, with labels where somebody hears them: an image's own, whatever its place in the batch."""
    hears = case.model.is_conditional or case.combining.of(case.model).needs_condition
    labels = torch.tensor([ord(name) % CLASSES for name in names])
    return Examples(reference, {"label": labels} if hears else {})


def begin(case: Case, reference: Tensor, streams: NoiseStreams) -> tuple[Sampler, ReverseProcess]:
    """The sampler and the process of one batch. Raises UserError if the case is refused."""
    sampler = case.sampler()
    process = sampler.begin(examples(case, reference, [key.image_id for key in streams.keys]), streams)
    return sampler, process


def sample(
    case: Case, reference: Tensor, names: Sequence[str], seed: int = 0
) -> tuple[Tensor, list[StepRecord], ReverseProcess]:
    """The samples, a record a step, and the process that counted the evaluations."""
    sampler, process = begin(case, reference, NoiseStreams(keys(names, seed)))
    records = list(sampler.run(process))
    return records[-1].x_prev, records, process


def declared_evaluations(case: Case) -> tuple[range, range]:
    """The network evaluations that a sample may take, forward and backward: one number each where all is declared.

    A kernel of k evaluations takes them on every step but the last, where it takes one; a combiner multiplies the
    forward ones. What a method from outside does not declare, or a combiner, leaves a range.
    """
    method, combining, extra = case.method, case.combining, case.solver.kernel.evaluations - 1
    fewest, most = method.evaluations or (method.steps, 0), method.evaluations or (method.steps, method.steps)
    least_further, most_further = (method.further or (0, 0)), (method.further or most)
    low, high = (
        [count + extra * further for count, further in zip(counts, furthers, strict=True)]
        for counts, furthers in ((fewest, least_further), (most, most_further))
    )
    backwards = range(low[1], high[1] + 1)
    if combining.forwards is None:
        a_step = _forwards_of_steps(case)
        return range(min(a_step) * low[0], max(a_step) * high[0] + 1), backwards
    first = [method.first * (1 + extra) if asks else method.first for asks in (least_further[0], most_further[0])]
    least, largest = (
        combining.forwards * (count - combining.silent_steps * of_first)
        for count, of_first in ((low[0], first[1]), (high[0], first[0]))
    )
    return range(least, largest + 1), backwards


def _forwards_of_steps(case: Case) -> list[int]:
    """What a prediction of each step costs under the case's combiner."""
    sampler, process = begin(unguided(case), references(1), NoiseStreams(keys("a")))
    counts, x = [], torch.zeros(1, *case.model.shape)
    for step in sampler.levels:
        before = process.forwards
        with torch.no_grad():
            process.predict(x, step)
        counts.append(process.forwards - before)
    return counts


class ShakenStreams(NoiseStreams):
    """Every draw, but what is drawn for the measurement, is changed in its last digits, as rounding would.

    Args:
        keys: one a sample.
        times: which of the ways to shake it.
    """

    def __init__(self, keys: Sequence[SampleKey], times: int) -> None:
        super().__init__(keys)
        self._hand = torch.Generator().manual_seed(times)

    def normal(self, purpose: Purpose, shape: Sequence[int]) -> Tensor:
        drawn = super().normal(purpose, shape)
        if purpose in (Purpose.OPERATOR, Purpose.MEASUREMENT):
            return drawn
        return drawn * (1.0 + 1e-6 * torch.randn(drawn.shape, generator=self._hand))


def agree(samples: Tensor, others: Tensor, case: Case, reference: Tensor, names: Sequence[str]) -> bool:
    """Whether samples that were computed in two ways are equal to 1e-4, or no farther apart than rounding takes them.

    A trajectory may be chaotic: the gradient jumps where a pixel of x̂ reaches a clamp, a chain accepts or rejects, a
    stiff step amplifies. There `samples`, those of `reference` and `names`, are drawn again with shaken noise, up to
    eight times, until rounding is seen to take them as far.
    """
    apart = (samples - others).abs().flatten(1).amax(1)
    by_rounding = torch.zeros(len(samples))
    for times in range(8):
        if (apart <= 1e-4 + 2.0 * by_rounding).all():
            return True
        sampler, process = begin(case, reference, ShakenStreams(keys(names), times))
        *_, last = sampler.run(process)
        by_rounding = torch.maximum(by_rounding, (last.x_prev - samples).abs().flatten(1).amax(1))
    return bool((apart <= 1e-4 + 2.0 * by_rounding).all())
