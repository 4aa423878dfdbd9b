"""Combiners of masked processes: their rates beside closed forms."""

from __future__ import annotations

import pytest
import torch

from dsg.combiners.scale import PiecewiseLinear
from dsg.data.examples import Examples
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import DoesNotFit, UserError
from dsg.guidance import DSG, Unguided
from dsg.masked import MaskedSampler, Moment
from dsg.masked.combiners import ClassifierFree, ClassifierGuidance, PosteriorTilt, TableClassifier
from dsg.models.tokens import JointTable, NetworkTokens
from dsg.module import MaskedDiffusion
from tasks import RandomInpainting
from tests.contract.tokens import CLASSES, LENGTH, TABLE, VOCABULARY, random_table, tiny_network

STATE = torch.tensor([[VOCABULARY, 1, VOCABULARY], [2, VOCABULARY, 0]])
NOW = Moment(1.0)


def rates(combiner, label=1, state=STATE, moment=NOW):
    sampler = MaskedSampler(TABLE, combiner=combiner)
    streams = NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")])
    process = sampler.begin(Examples(None, {"label": torch.tensor([label, label])}), streams)
    return process.unmasking(state, moment)


def log_p(label=1):
    condition = ClassLabels(torch.tensor([label, label]))
    return TABLE(STATE, condition), TABLE(STATE)


def test_rates_that_are_not_normalised_are_the_product_of_powers():
    told, untold = (p.exp() for p in log_p())
    found = rates(ClassifierFree(2.5, normalised=False))
    masked = STATE == VOCABULARY
    product = (told**2.5 * untold**-1.5)[masked]
    torch.testing.assert_close((found.log_chances.exp() * found.speed[..., None])[masked], product)
    assert (found.speed[masked] >= 1).all()  # as Jensen has it for γ ≥ 1


def test_normalised_rates_are_these_over_their_sum_at_unit_speed():
    told, untold = (p[STATE == VOCABULARY] for p in log_p())
    found = rates(ClassifierFree(2.5))
    expected = (2.5 * told - 1.5 * untold).log_softmax(-1)
    torch.testing.assert_close(found.log_chances[STATE == VOCABULARY], expected)
    assert found.speed is None


def test_an_exact_classifier_of_scale_one_makes_the_conditional_rates():
    found = rates(ClassifierGuidance(TableClassifier(TABLE), 1.0, first_order=False, normalised=False))
    masked = STATE == VOCABULARY
    torch.testing.assert_close(found.log_chances[masked], log_p()[0][masked], check_dtype=False, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.speed[masked], torch.ones(3, dtype=torch.float64), check_dtype=False)


def test_the_first_order_is_the_gradient_of_the_classifier_in_the_rows_of_a_masked_place():
    classifier = TableClassifier(TABLE)
    found = rates(ClassifierGuidance(classifier, 1.0, normalised=False))
    rows = torch.nn.functional.one_hot(STATE, VOCABULARY + 1).double()
    moved = rows.clone()
    moved[0, 0, 2] += 1e-5
    moved[0, 0, VOCABULARY] -= 1e-5
    slope = (classifier(moved).log_softmax(-1) - classifier(rows).log_softmax(-1))[0, 1] / 1e-5
    weights = found.log_chances + found.log_speed[..., None]
    assert (weights - log_p()[1])[0, 0, 2].item() == pytest.approx(slope.item(), abs=1e-3)


def test_a_posterior_tilt_of_a_whole_step_unmasks_all():
    found = rates(PosteriorTilt(2.0), moment=Moment(1.0, survival=0.0))
    assert torch.equal(found.speed, torch.ones_like(found.speed))


def test_a_token_that_the_class_never_has_is_never_seen_however_strong_the_guidance():
    table = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    model = JointTable(table)
    sampler = MaskedSampler(model, steps=1, combiner=ClassifierFree(40.0, normalised=False))
    process = sampler.begin(
        Examples(None, {"label": torch.zeros(1, dtype=torch.long)}), NoiseStreams([SampleKey(0, "a")])
    )
    found = process.unmasking(model.masked(1), NOW)
    assert found.log_chances.isfinite().all()
    assert found.log_chances.exp()[0, 0].tolist() == pytest.approx([1.0, 0.0, 0.0], abs=1e-9)
    assert found.log_speed.isfinite().all()


@pytest.mark.parametrize("combiner", [ClassifierFree, PosteriorTilt])
def test_a_negative_scale_is_refused(combiner):
    with pytest.raises(UserError, match="γ must be at least 0"):
        combiner(guidance_scale=-1.0)


def test_what_does_not_suit_the_model_is_refused_before_the_first_sample():
    unconditional = JointTable(random_table(classes=1))
    with pytest.raises(UserError, match="needs a token model with classes"):
        MaskedSampler(unconditional, combiner=ClassifierFree())
    told_always = NetworkTokens(tiny_network(), LENGTH, VOCABULARY, num_classes=CLASSES)
    with pytest.raises(UserError, match="has no null class"):
        MaskedSampler(told_always, combiner=ClassifierFree())
    with pytest.raises(UserError, match="has no null class"):
        MaskedSampler(told_always, combiner=ClassifierGuidance(TableClassifier(TABLE)))
    shorter = JointTable(random_table(length=2))
    with pytest.raises(UserError, match="knows 2 tokens of 4 and the token model has 3 of 4"):
        MaskedSampler(TABLE, combiner=ClassifierGuidance(TableClassifier(shorter)))
    with pytest.raises(UserError, match="one class alone"):
        TableClassifier(unconditional)


def test_a_method_of_a_gaussian_state_and_a_task_with_a_loss_are_refused():
    assert MaskedDiffusion(TABLE, guidance=Unguided()).model is TABLE
    with pytest.raises(DoesNotFit, match=r"model\.guidance: DSG guides a Gaussian state, and tokens have none"):
        MaskedDiffusion(TABLE, guidance=DSG())
    with pytest.raises(DoesNotFit, match="RandomInpainting asks for something by a loss"):
        MaskedDiffusion(TABLE, task=RandomInpainting())


def test_what_neither_condition_has_is_never_seen():
    class Untrue(JointTable):
        """Says of a class what the sum over classes does not have, as a network may."""

        def forward(self, tokens, condition=None):
            log_p = torch.tensor([0.5, 0.5, 0.0]).log() if condition is None else torch.full((3,), 1 / 3).log()
            return log_p.expand(*tokens.shape, 3)

    model = Untrue(torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]]))
    process = MaskedSampler(model, steps=1, combiner=ClassifierFree(3.0)).begin(
        Examples(None, {"label": torch.zeros(1, dtype=torch.long)}), NoiseStreams([SampleKey(0, "a")])
    )
    chances = process.unmasking(model.masked(1), NOW).log_chances.exp()
    assert chances[0, 0].tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_no_gradient_is_taken_where_a_schedule_is_zero():
    class Unasked(TableClassifier):
        def forward(self, weights):
            raise AssertionError("asked")

    ramp = PiecewiseLinear((0.5, 1.0), (2.0, 0.0))
    found = rates(ClassifierGuidance(Unasked(TABLE), ramp))
    torch.testing.assert_close(found.log_chances.exp(), log_p()[1].exp())


def test_a_classifier_of_other_classes_and_a_schedule_of_timesteps_are_refused():
    with pytest.raises(UserError, match="it has 3 classes and the token model 2"):
        MaskedSampler(TABLE, combiner=ClassifierGuidance(TableClassifier(JointTable(random_table(classes=3)))))
    timesteps = PiecewiseLinear((0.0, 999.0), (1.0, 4.0))
    for combiner in (ClassifierFree(timesteps), ClassifierGuidance(TableClassifier(TABLE), timesteps)):
        with pytest.raises(UserError, match=r"t of tokens is in \[0, 1\]"):
            MaskedSampler(TABLE, combiner=combiner)
