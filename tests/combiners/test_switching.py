"""A condition that is a function of the level: which class is told where, under any combiner."""

from __future__ import annotations

import pytest
import torch

from dsg.combiners import CFGZeroStar, ClassifierFree, ClassifierGuidance, Conditional, MixtureClassifier, Switching
from dsg.data.examples import Examples
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.models.mixture import GaussianMixture
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from tasks import Generation

TASK = Generation()
MEANS = [[-2.0, 0.0], [2.0, 1.0], [0.0, 3.0]]
MODEL = GaussianMixture([0.5, 0.3, 0.2], MEANS, [1.0, 0.5, 0.2], classes=[0, 1, 2])
X = torch.randn(3, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2])


def begin(combiner, labels=True, model=MODEL):
    sampler = Sampler(model, TASK, Unguided(), DDIM(0.0), 10, combiner=combiner)
    columns = {"label": LABELS} if labels else {}
    return sampler, sampler.begin(Examples(torch.zeros(3, 2), columns), NoiseStreams([SampleKey(0, "a")] * 3))


def under(combiner, labels, step):
    """Its prediction for a batch that has these labels all along."""
    streams, condition = NoiseStreams([SampleKey(0, "a")] * 3), ClassLabels(torch.tensor(labels))
    process = ReverseProcess(MODEL, TASK, None, DDIM(0.0), streams, [step], condition, combiner=combiner)
    return combiner.predict(X, step, process)


@pytest.mark.parametrize(
    ("above", "below", "noisy", "clean"),
    [
        (1, 2, [1, 1, 1], [2, 2, 2]),
        (None, (1, 2, 0), [0, 1, 2], [1, 2, 0]),
        ((2, 0, 1), None, [2, 0, 1], [0, 1, 2]),
    ],
)
@pytest.mark.parametrize(
    "base",
    [Conditional(), ClassifierFree(2.0), CFGZeroStar(2.0, zero_steps=0), ClassifierGuidance(MixtureClassifier(MODEL))],
    ids=["conditional", "cfg", "cfg-zero*", "classifier"],
)
def test_the_combiner_inside_is_told_one_class_above_the_level_and_another_below(base, above, below, noisy, clean):
    levels = begin(base)[0].levels
    switching = Switching(levels[4].t, above, below, base=base)
    process = begin(switching)[1]
    for step in levels:
        expected = under(base, noisy if step.t > levels[4].t else clean, step)
        assert torch.equal(process.predict(X, step).epsilon, expected.epsilon)
    alone = begin(base)[1]
    for step in levels:
        alone.predict(X, step)
    assert process.forwards == alone.forwards


def test_classes_for_everyone_need_no_labels_and_the_data_s_own_do():
    assert Switching(500, 0, 1, base=ClassifierFree(2.0)).needs(MODEL) == frozenset()
    assert Switching(500, None, 1).needs(MODEL) == {"label"}
    assert Switching(500, 0, (1, 2, 0)).needs(MODEL) == {"label"}
    sampler, process = begin(Switching(500, 0, 1), labels=False)
    *_, last = sampler.run(process)
    assert last.x_prev.isfinite().all()
    for combiner in (Switching(500, None, 1), Switching(500, (1, 2, 0), 1)):
        sampler, process = begin(combiner, labels=False)
        with pytest.raises(UserError, match=r"Switching guides by class .* set data\.labels"):
            list(sampler.run(process))


@pytest.mark.parametrize(
    ("combiner", "says"),
    [
        (Switching(1000.0, 0, 1), "combiner.t: the time 1000.0 is outside the schedule of GaussianMixture, 0 to 999"),
        (Switching(-1.0, 0, 1), "combiner.t: the time -1.0 is outside"),
        (Switching(float("nan"), 0, 1), "combiner.t: the time nan is outside"),
        (Switching(500, 3, 1), "combiner.above: must be classes of the model, 0 to 2, got 3"),
        (Switching(500, 0, -1), "combiner.below: must be classes of the model, 0 to 2, got -1"),
        (Switching(500, None, (0, 1)), "combiner.below: must say a class for each of the model's 3, got 2"),
        (Switching(500, None, (0, 1, 7)), "combiner.below: must be classes of the model, 0 to 2, got 7"),
    ],
)
def test_a_level_outside_the_schedule_and_a_class_that_is_not_there_are_refused(combiner, says):
    with pytest.raises(UserError, match=says):
        begin(combiner)


def test_a_model_without_classes_is_refused():
    with pytest.raises(UserError, match="Switching needs classes, and GaussianMixture has none"):
        begin(Switching(500, 0, 1), model=GaussianMixture.standard_normal((2,)))


@pytest.mark.parametrize(
    "base",
    [ClassifierFree((1.5, 4.0, 2.0)), Switching(0.0, above=(1, 2, 0), below=0)],
    ids=["a scale for each class", "a switch inside"],
)
def test_what_a_combiner_inside_keeps_of_a_batch_is_of_the_class_that_it_is_told(base):
    levels = begin(Conditional())[0].levels
    switching = Switching(levels[4].t, 0, 1, base=base)
    process = begin(switching)[1]
    for step in levels:
        expected = under(base, [0, 0, 0] if step.t > levels[4].t else [1, 1, 1], step)
        assert torch.equal(process.predict(X, step).epsilon, expected.epsilon)


def test_a_list_from_python_is_a_list_from_a_configuration():
    assert Switching(5.0, above=[1, 0, 2]).above == (1, 0, 2)
    assert ClassifierFree([1.0, 2.0, 3.0]) == ClassifierFree((1.0, 2.0, 3.0))
    with pytest.raises(UserError, match="one number for all classes"):
        ClassifierGuidance(MixtureClassifier(MODEL), guidance_scale=(1.0, 2.0, 3.0))
