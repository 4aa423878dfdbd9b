"""What every masked process must do: a token model under a kernel and a combiner, over the lists of `tokens`."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch

from dsg.data.examples import Examples
from dsg.diffusion.noise import SampleKey
from dsg.masked.combiners import ClassifierFree, Conditional, PosteriorTilt
from tests.contract.tokens import CASES, COMBINERS, KERNELS, LENGTH, MODELS, REFUSED, VOCABULARY, TokenCase, sample
from tests.contract.watching import OnTheDevice, Waited, nobody_waits

pytestmark = pytest.mark.contract
IDS = "abcdefgh"
every_case = pytest.mark.parametrize("tokens_case", CASES, ids=str)


@every_case
def test_tokens_in_a_batch_are_what_they_are_alone(tokens_case):
    together, _, batch = sample(tokens_case.sampler(), IDS)
    for i in (0, 5):
        alone, _, process = sample(tokens_case.sampler(), IDS[i])
        assert torch.equal(alone, together[i : i + 1])
        assert process.costs() == batch.costs()


@every_case
def test_nothing_is_masked_in_the_end_and_what_was_seen_stays(tokens_case):
    tokens, records, _ = sample(tokens_case.sampler(), IDS)
    assert ((tokens >= 0) & (tokens < VOCABULARY)).all()
    assert (records[0].x_t == VOCABULARY).all()
    for record in records:
        assert torch.equal(record.x_prev[~record.masked], record.x_t[~record.masked])
        assert torch.equal(record.clean_estimate[~record.masked], record.x_t[~record.masked])
        assert record.masked_share.isfinite().all()


@every_case
def test_the_network_is_evaluated_as_often_as_the_combiner_declares(tokens_case):
    _, records, process = sample(tokens_case.sampler(), "ab")
    _, forwards, backwards = COMBINERS[tokens_case.combiner]
    assert process.forwards == forwards * len(records)
    assert process.backwards == backwards * len(records)


@every_case
def test_chances_sum_to_one_and_nothing_keeps_a_graph(tokens_case):
    _, records, _ = sample(tokens_case.sampler(), "abcd")
    for record in records:
        total = record.unmasking.log_chances.logsumexp(-1)[record.masked]
        torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-5, rtol=0)
        assert not record.unmasking.log_chances.requires_grad
        assert record.unmasking.log_speed is None or record.unmasking.log_speed.isfinite().all()
    assert not any(parameter.requires_grad for parameter in MODELS[tokens_case.model].parameters())


@every_case
def test_the_same_seed_gives_the_same_tokens_and_another_seed_does_not(tokens_case):
    tokens, _, _ = sample(tokens_case.sampler(), IDS)
    assert torch.equal(tokens, sample(tokens_case.sampler(), IDS)[0])
    assert not torch.equal(tokens, sample(tokens_case.sampler(), IDS, seed=1)[0])


@every_case
def test_after_the_first_step_nobody_waits_for_the_device(tokens_case):
    """In the first one what stays may be put there; a schedule of the scale asks the host."""
    sampler = tokens_case.sampler()
    waits = tokens_case.kernel == "first hitting" and tokens_case.combiner.endswith("ramp")  # a time a sample
    streams = OnTheDevice([SampleKey(0, name) for name in "ab"])
    trajectory = sampler.run(sampler.begin(Examples(None, {"label": torch.zeros(2, dtype=torch.int64)}), streams))
    next(trajectory)
    with pytest.raises(Waited) if waits else nullcontext(), nobody_waits():
        list(trajectory)


SCALE_OF_ONE = [ClassifierFree(1.0), ClassifierFree(1.0, normalised=False), PosteriorTilt(1.0)]


@pytest.mark.parametrize("plain", SCALE_OF_ONE, ids=str)
@pytest.mark.parametrize("under", KERNELS)
def test_a_scale_of_one_is_the_conditional_model_bit_for_bit(under, plain):
    tokens_case = TokenCase("network", under, "conditional")
    guided, unguided = (sample(tokens_case.sampler(combiner), IDS)[0] for combiner in (plain, Conditional()))
    assert torch.equal(guided, unguided)


@pytest.mark.parametrize("tokens_case", [c for c in CASES if c.combiner != "conditional"], ids=str)
def test_what_a_combiner_changes_reaches_the_step(tokens_case):
    """Its rates are not the conditional ones, and so are not all of many samples."""
    many = "".join(chr(97 + i) for i in range(64))
    guided, plain = (sample(tokens_case.sampler(combiner), many) for combiner in (None, Conditional()))
    assert not torch.equal(guided[0], plain[0])


@pytest.mark.parametrize("tokens_case", REFUSED, ids=str)
def test_a_speed_that_would_not_reach_the_step_is_refused_before_the_first_sample(tokens_case):
    said = tokens_case.refusal()
    assert "normalise it, or take TauLeaping" in said
    assert COMBINERS[tokens_case.combiner][0].changes_speed


def test_only_speeds_are_refused():
    of_speed = {name for name, (combiner, *_) in COMBINERS.items() if combiner.changes_speed}
    assert {case.combiner for case in REFUSED} == of_speed
    assert {case.kernel for case in REFUSED} == {"first hitting", "confidence order"}


def test_bf16_autocast_reaches_the_network_alone():
    sampler = TokenCase("network", "first hitting", "classifier-free").sampler()
    _, exact, _ = sample(sampler, "ab")
    with torch.autocast("cpu", torch.bfloat16):
        _, rounded, _ = sample(sampler, "ab")
    one, other = exact[0].unmasking.log_chances, rounded[0].unmasking.log_chances
    assert other.dtype == torch.float32
    assert not torch.equal(one, other)
    torch.testing.assert_close(one, other, atol=0.3, rtol=0)
    assert len(exact) == LENGTH
