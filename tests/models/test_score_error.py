"""The wrapped score errs by what was asked, smoothly and always alike, and by nothing at size 0."""

import pytest
import torch

from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.level import NoiseLevel
from dsg.errors import UserError
from dsg.models.mixture import GaussianMixture
from dsg.models.portraits.latent_model import PortraitsLatent
from dsg.models.score_error import ScoreError

LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.6)
LABELS = ClassLabels(torch.tensor([0, 1, 1, 0]))


def pair(d: int = 2) -> GaussianMixture:
    return GaussianMixture([1.0, 1.0], [[-1.0] * d, [1.0] * d], 1.0, classes=[0, 1])


def states(n: int = 4, d: int = 2) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("condition", [None, LABELS])
def test_no_error_is_the_model_itself_bit_for_bit(condition):
    model = pair()
    assert torch.equal(
        ScoreError(model, 0.0)(states(), LEVEL, condition).epsilon, model(states(), LEVEL, condition).epsilon
    )


@pytest.mark.parametrize("d", [1, 2, 5, 100])
@pytest.mark.parametrize("alpha_bar", [0.01, 0.5, 0.99])
def test_the_score_errs_by_its_size_on_average_over_the_noised_data(d, alpha_bar):
    model, level = pair(d), NoiseLevel.from_alpha_bar(1.0, alpha_bar)
    wrong = ScoreError(model, 0.3, seed=1)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4000, d, generator=generator, dtype=torch.float64)
    x = (alpha_bar**0.5 * model.sample(4000, generator) + (1 - alpha_bar) ** 0.5 * noise).float()
    score_error = -(wrong(x, level).epsilon - model(x, level).epsilon) / (1 - alpha_bar) ** 0.5
    assert score_error.square().sum(1).mean().sqrt().item() == pytest.approx(0.3, rel=0.08)
    torch.testing.assert_close(score_error.double(), 0.3 * wrong.error(x, level), atol=1e-4, rtol=0)


def test_a_seed_gives_the_same_error_in_every_batch_and_another_seed_another():
    first, again, other = (ScoreError(pair(), 0.1, seed=seed) for seed in (0, 0, 1))
    x = states()
    assert torch.equal(first.error(x, LEVEL), again.error(x, LEVEL))
    torch.testing.assert_close(first.error(x[2:3], LEVEL), first.error(x, LEVEL)[2:3], rtol=0, atol=1e-12)
    assert (first.error(x, LEVEL) - other.error(x, LEVEL)).abs().max() > 0.1


def test_the_error_is_smooth_in_the_state_and_in_the_noise_level():
    wrong, x = ScoreError(pair(), 0.1, frequency=3.0), states().double()
    moved = wrong.error(x + 1e-4, LEVEL) - wrong.error(x, LEVEL)
    later = wrong.error(x, NoiseLevel.from_alpha_bar(500.0, 0.6001)) - wrong.error(x, LEVEL)
    assert 0 < moved.abs().max() < 1e-4 * 3 * 2**0.5
    assert 0 < later.abs().max() < 1e-3


def test_on_both_the_difference_of_the_scores_stays_exact_and_on_the_conditional_it_does_not():
    model, x = pair(), states()
    exact = model(x, LEVEL, LABELS).epsilon - model(x, LEVEL).epsilon
    both, one = ScoreError(model, 0.5), ScoreError(model, 0.5, added_to="conditional")
    torch.testing.assert_close(both(x, LEVEL, LABELS).epsilon - both(x, LEVEL).epsilon, exact)
    assert torch.equal(one(x, LEVEL).epsilon, model(x, LEVEL).epsilon)
    torch.testing.assert_close(one(x, LEVEL, LABELS).epsilon, both(x, LEVEL, LABELS).epsilon)


def test_the_null_label_counts_as_no_class():
    model = pair()
    model.null_class = 1
    wrong, x = ScoreError(model, 0.5, added_to="conditional"), states()
    same = (wrong(x, LEVEL, LABELS).epsilon == model(x, LEVEL, LABELS).epsilon).all(1)
    assert same.tolist() == [False, True, True, False]


def test_what_the_model_says_of_itself_is_passed_on():
    model = pair()
    wrong = ScoreError(model)
    for name in ("schedule", "shape", "num_classes", "null_class", "learns_variance", "knows_marginal", "image_shape"):
        assert getattr(wrong, name) == getattr(model, name)


def test_the_prediction_is_float32_and_differentiable_in_an_image():
    model = GaussianMixture.standard_normal((3, 8, 8))
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    epsilon = ScoreError(model, 0.5)(x, LEVEL).epsilon
    assert epsilon.shape == x.shape
    assert epsilon.dtype == torch.float32
    epsilon.square().sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"size": -0.1}, "size"), ({"frequency": 0.0}, "frequency"), ({"added_to": "none"}, "both or conditional")],
)
def test_values_out_of_range_are_refused(arguments, word):
    with pytest.raises(UserError, match=word):
        ScoreError(pair(), **arguments)


def test_a_conditional_error_of_a_model_that_is_told_texts_is_refused():
    """Its null condition is a text too, which would be disturbed as any."""
    with pytest.raises(UserError, match="with classes"):
        ScoreError(PortraitsLatent(), added_to="conditional")


def test_a_conditional_error_of_a_model_without_classes_is_refused():
    with pytest.raises(UserError, match="with classes"):
        ScoreError(GaussianMixture.standard_normal((2,)), added_to="conditional")
