"""Chances and speeds that are no numbers, or too large for them: which samples fail, and which do not."""

from __future__ import annotations

import math

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import EnsembleStreams, SampleKey
from dsg.errors import UserError
from dsg.masked import MaskedSampler, Unmasking
from dsg.masked.combiners import ClassifierFree, TokenCombiner
from dsg.masked.kernels import ConfidenceOrder, FirstHitting, TauLeaping
from tests.contract.tokens import TABLE, sample

KERNELS = [TauLeaping(), FirstHitting(), ConfidenceOrder()]


class Broken(TokenCombiner):
    """Says `value` of the second sample, of tokens that are masked, or of those that are seen."""

    def __init__(self, value: float, seen_alone: bool = False) -> None:
        self.value, self.seen_alone = value, seen_alone

    def unmasking(self, tokens, moment, process):
        log_p = process.evaluate(tokens, process.condition).clone()
        broken = (tokens != TABLE.mask) == self.seen_alone
        broken[0] = False
        return Unmasking(log_p.masked_fill(broken[..., None], self.value))


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_sample_without_chances_is_noted_and_the_others_are_as_without_it(kernel, value):
    tokens, _, process = sample(MaskedSampler(TABLE, kernel=kernel, combiner=Broken(value)), "ab")
    assert process.finite.tolist() == [True, False]
    TABLE.check_tokens(tokens)  # no mask is left, which would end the whole batch
    alone, _, _ = sample(MaskedSampler(TABLE, kernel=kernel), "a")
    assert torch.equal(tokens[:1], alone)


def test_what_is_said_of_tokens_that_are_seen_is_not_read():
    _, _, process = sample(MaskedSampler(TABLE, combiner=Broken(math.nan, seen_alone=True)), "ab")
    assert process.finite.all()


class Fast(TokenCombiner):
    """Speeds that overflow as numbers and not as logarithms."""

    changes_speed = True

    def unmasking(self, tokens, moment, process):
        log_p = process.evaluate(tokens, process.condition)
        return Unmasking(log_p, torch.full(tokens.shape, 800.0) - 800.0 * torch.arange(tokens.shape[1]))


def test_first_hitting_takes_speeds_that_only_their_logarithms_hold():
    _, records, process = sample(MaskedSampler(TABLE, kernel=FirstHitting(), combiner=Fast()), "ab")
    assert process.finite.all()
    assert [(record.x_prev != TABLE.mask).sum().item() for record in records] == [2, 4, 6]
    assert (records[0].x_prev[:, 0] != TABLE.mask).all()  # the fastest first
    assert all(record.speed.isnan().sum() == 0 for record in records)


def test_inference_mode_is_refused():
    sampler = MaskedSampler(TABLE, combiner=ClassifierFree(2.0))
    with torch.inference_mode(), pytest.raises(UserError, match="inference_mode to false"):
        sampler.begin(
            Examples(None, {"label": torch.zeros(1, dtype=torch.long)}), EnsembleStreams(SampleKey(0, "a"), 1)
        )
