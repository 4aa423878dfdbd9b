"""Kernels of masked processes: which law they draw from, and how many tokens they unmask when."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.neighbours.exact.masked import Guided, law, leaping_law, ordered
from dsg.combiners.scale import PiecewiseLinear
from dsg.data.examples import Examples
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.errors import UserError
from dsg.masked import Cosine, Linear, MaskedSampler
from dsg.masked.combiners import ClassifierFree, Conditional, PosteriorTilt
from dsg.masked.kernels import ConfidenceOrder, FirstHitting, TauLeaping
from dsg.masked.unmasking import draw
from dsg.models.tokens import JointTable
from tests.contract.tokens import random_table

TABLES = random_table(3, length=2, vocabulary=3)
PAIR = JointTable(TABLES)
TOLD, OTHER = (table / table.sum() for table in TABLES.numpy())
UNTOLD = 0.5 * (TOLD + OTHER)
COUNT = 20_000


def records_of(sampler: MaskedSampler, count: int = COUNT) -> list:
    process = sampler.begin(
        Examples(None, {"label": torch.zeros(count, dtype=torch.long)}), EnsembleStreams(SampleKey(0, "x"), count)
    )
    return list(sampler.run(process))


def law_of(sampler: MaskedSampler) -> np.ndarray:
    tokens = records_of(sampler)[-1].x_prev
    return torch.bincount(tokens @ torch.tensor([3, 1]), minlength=9).double().numpy().reshape(3, 3) / COUNT


def assert_drawn_from(found: np.ndarray, exact: np.ndarray) -> None:
    error = np.sqrt(exact * (1 - exact) / COUNT)
    assert (np.abs(found - exact) <= 4 * error + 1e-12).all(), (found - exact) / error


@pytest.mark.parametrize("normalised", [True, False])
def test_first_hitting_draws_from_the_exact_law_of_two_tokens(normalised):
    sampler = MaskedSampler(PAIR, kernel=FirstHitting(), combiner=ClassifierFree(3.0, normalised))
    assert_drawn_from(law_of(sampler), ordered(TOLD, UNTOLD, 3.0, normalised))


@pytest.mark.parametrize("schedule", [Linear(), Cosine()], ids=str)
def test_first_hitting_reads_a_schedule_of_the_scale_at_the_time_of_each_event(schedule):
    ramp = PiecewiseLinear((0.3, 0.8), (4.0, 0.0))
    sampler = MaskedSampler(PAIR, kernel=FirstHitting(), combiner=ClassifierFree(ramp), schedule=schedule)

    def scale(share: float) -> float:
        time = float(schedule.time(torch.tensor([share], dtype=torch.float64)))
        return ramp.at(schedule.level(time))

    kinks = tuple(schedule.share(t) for t in (0.3, 0.8))
    assert_drawn_from(law_of(sampler), law(Guided(TOLD, UNTOLD, scale, True, kinks)))


@pytest.mark.parametrize("normalised", [True, False])
def test_tau_leaping_draws_from_the_exact_law_of_its_leaps(normalised):
    sampler = MaskedSampler(PAIR, kernel=TauLeaping(), steps=3, combiner=ClassifierFree(3.0, normalised))
    assert_drawn_from(law_of(sampler), leaping_law(Guided(TOLD, UNTOLD, lambda t: 3.0, normalised), 3))


def test_without_guidance_the_model_s_own_law_comes_out():
    assert_drawn_from(law_of(MaskedSampler(PAIR, kernel=FirstHitting())), TOLD)


@pytest.mark.parametrize("schedule", [Linear(), Cosine()], ids=str)
def test_the_share_that_is_masked_is_that_of_the_schedule(schedule):
    for record in records_of(MaskedSampler(PAIR, steps=4, schedule=schedule)):
        expected = schedule.share(record.step.t)
        assert record.masked_share.mean().item() == pytest.approx(expected, abs=3 / math.sqrt(2 * COUNT))


def test_a_posterior_tilt_leaps_by_its_own_chance_to_stay_and_has_the_speed_of_the_sum_in_small_steps():
    one = JointTable(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.4, 0.5]]))
    told, untold = torch.tensor([0.7, 0.2, 0.1]).double(), torch.tensor([0.4, 0.3, 0.3]).double()
    total = float((told**3 * untold**-2).sum())
    steps = records_of(MaskedSampler(one, steps=2, combiner=PosteriorTilt(3.0)))
    stays = 0.5 / (0.5 + 0.5 * total)
    assert steps[1].masked_share.mean().item() == pytest.approx(stays, abs=4 * math.sqrt(stays * (1 - stays) / COUNT))
    small = records_of(MaskedSampler(one, steps=200, combiner=PosteriorTilt(3.0)), count=10)
    assert small[0].speed.mean().item() == pytest.approx(total, rel=1e-2)


def test_confidence_order_unmasks_as_many_as_the_schedule_says():
    model = JointTable(random_table(5, length=4, vocabulary=2))
    sampler = MaskedSampler(model, kernel=ConfidenceOrder(temperature=0.0), steps=3, schedule=Cosine())
    left = [(record.x_prev == model.mask).sum(1).unique().tolist() for record in records_of(sampler, count=50)]
    assert left == [[3], [2], [0]]  # ⌊4 sin 60°⌋, ⌊4 sin 30°⌋


def test_confidence_order_sees_the_surest_place_first_unless_it_is_hot():
    sure = JointTable(torch.tensor([[[0.0, 0.5], [0.0, 0.5]]]))  # of the second place nothing is to be guessed
    cold, hot = (
        records_of(MaskedSampler(sure, kernel=ConfidenceOrder(heat), steps=2), count=200)[0].x_prev == sure.mask
        for heat in (0.0, 100.0)
    )
    assert cold.sum(0).tolist() == [200, 0]
    assert 60 < hot[:, 0].sum() < 140


def test_the_heat_of_the_confidence_order_falls_with_the_time_that_is_left():
    """The difference of two Gumbel numbers is logistic: 1/(1 + exp(−log 2/(2 · ½))) = 2/3 where half is left."""
    sure = JointTable(torch.tensor([[[0.0, 0.5], [0.0, 0.5]]]))
    warm = records_of(MaskedSampler(sure, kernel=ConfidenceOrder(2.0), steps=2), count=4000)[0].x_prev == sure.mask
    assert warm[:, 0].double().mean().item() == pytest.approx(2 / 3, abs=0.025)


def test_confidence_order_leaves_a_token_for_every_step():
    records = records_of(MaskedSampler(PAIR, kernel=ConfidenceOrder(), steps=2, schedule=Cosine()), count=9)
    assert [(record.x_prev == PAIR.mask).sum(1).tolist() for record in records] == [[1] * 9, [0] * 9]


def test_a_token_without_a_chance_is_never_drawn_and_all_others_as_often_as_they_should_be():
    log_p = torch.tensor([[[0.0, 0.25, 0.0, 0.75, 0.0]]]).log().expand(1, 4, 5)
    uniform = torch.tensor([[0.0, 0.2499, 0.2501, 1.0 - 2.0**-24]])
    assert draw(log_p, uniform).tolist() == [[1, 1, 3, 3]]


@pytest.mark.parametrize(
    ("kernel", "steps", "says"),
    [
        (TauLeaping(), 0, "steps: must be at least 1, got 0"),
        (ConfidenceOrder(), 3, "there are 2; take at most 2, got 3"),
        (FirstHitting(), 3, "2 of them, got 3"),
    ],
)
def test_steps_that_make_no_sense_are_refused(kernel, steps, says):
    with pytest.raises(UserError, match=says):
        MaskedSampler(PAIR, kernel=kernel, steps=steps, combiner=Conditional())


def test_a_negative_temperature_is_refused():
    with pytest.raises(UserError, match="temperature: must be at least 0"):
        ConfidenceOrder(temperature=-1.0)
