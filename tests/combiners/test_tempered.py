"""A guide's temperature: DSG over two classes does not see it, but others do, and so does DSG over more classes."""

from __future__ import annotations

import pytest
import torch

import tasks
from dsg.combiners import ClassifierFree, ClassifierGuidance, MixtureClassifier, TemperedClassifier
from dsg.data.examples import Examples
from dsg.diffusion.kernels import DDIM
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import DPS, DSG, ClassifierGradient, Unguided
from dsg.models.mixture import GaussianMixture, MixtureJudge
from dsg.models.tempered import Tempered
from dsg.sampling import Sampler
from tests.toy import ToyClassifier

LEVEL = NoiseLevel.from_alpha_bar(500.0, 0.6)
# several components a class, so that no symmetry does what is to be shown
MEANS = torch.tensor([[1.0, 0.3, 0.0, 0.5], [-1.0, 0.2, 0.7, 0.0], [0.2, 1.1, -0.4, 0.1], [-0.3, -0.8, 0.0, 0.9]])
TWO = GaussianMixture([1.0, 2.0, 1.5, 1.0], MEANS, [0.5, 1.0, 0.7, 0.4], classes=[0, 1, 0, 1])
FOUR = GaussianMixture([1.0, 2.0, 1.5, 1.0], MEANS, [0.5, 1.0, 0.7, 0.4], classes=[0, 1, 2, 3])
LABELS = torch.ones(6, dtype=torch.long)


def states(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def gradient(model: GaussianMixture, temperature: float) -> torch.Tensor:
    x = states().requires_grad_()
    log_p = TemperedClassifier(MixtureClassifier(model), temperature).log_prob(x, LEVEL, LABELS)
    return torch.autograd.grad(log_p.sum(), x)[0]


def run(model, guidance, temperature, combiner=None):
    """The end of six trajectories of class 1, on the unconditional score."""
    classifier = Tempered(MixtureJudge(model), temperature)
    sampler = Sampler(model, tasks.ClassLabel(classifier, target=1), guidance, DDIM(1.0), 8,
                      clip_denoised=False, combiner=combiner or ClassifierFree(0.0))  # fmt: skip
    streams = NoiseStreams([SampleKey(0, str(k)) for k in range(6)])
    *_, record = sampler.run(sampler.begin(Examples(torch.zeros(6, 4), {"label": LABELS}), streams))
    return record.x_prev


def over_classifier(model, temperature):
    return ClassifierGradient(TemperedClassifier(MixtureClassifier(model), temperature))


def test_a_temperature_of_one_is_the_classifier_itself():
    plain = MixtureClassifier(FOUR).log_prob(states(), LEVEL, LABELS)
    torch.testing.assert_close(
        TemperedClassifier(MixtureClassifier(FOUR)).log_prob(states(), LEVEL, LABELS), plain, rtol=0, atol=1e-12
    )


def test_the_gradient_of_many_classes_is_the_weighted_mean_of_the_docstring():
    classifier, x = MixtureClassifier(FOUR), states().requires_grad_()
    every = torch.stack([classifier.log_prob(x, LEVEL, torch.full((6,), k)) for k in range(4)], dim=1)
    slopes = torch.stack([torch.autograd.grad(every[:, k].sum(), x, retain_graph=True)[0] for k in range(4)], dim=1)
    share = (every.detach() / 0.5).softmax(dim=1)
    expected = ((slopes[:, 1:2] - slopes) * share[..., None]).sum(1) / 0.5
    torch.testing.assert_close(gradient(FOUR, 0.5), expected)


def test_with_two_classes_a_temperature_changes_the_length_of_the_gradient_alone_and_with_four_not_alone():
    def cosine(model, temperature):
        return torch.cosine_similarity(gradient(model, temperature), gradient(model, 1.0)).min().item()

    assert cosine(TWO, 0.2) == pytest.approx(1.0, abs=1e-12)
    assert cosine(TWO, 8.0) == pytest.approx(1.0, abs=1e-12)
    assert gradient(TWO, 8.0).norm() < 0.5 * gradient(TWO, 1.0).norm()
    assert cosine(FOUR, 0.2) < 0.999


@pytest.mark.parametrize("temperature", [0.1, 5.0])
def test_dsg_over_two_classes_does_not_see_the_guide_s_temperature(temperature):
    for base in (lambda _: DPS(), lambda t: over_classifier(TWO, t)):
        one, other = (run(TWO, DSG(base(t), guidance_rate=0.2), t) for t in (1.0, temperature))
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)  # float32 states


def test_dps_and_classifier_guidance_do_and_dsg_over_four_classes_does():
    for sampled in (
        lambda t: run(TWO, DPS(0.3), t),
        lambda t: run(TWO, over_classifier(TWO, t), t),
        lambda t: run(TWO, Unguided(), t, ClassifierGuidance(TemperedClassifier(MixtureClassifier(TWO), t))),
        lambda t: run(FOUR, DSG(over_classifier(FOUR, t), guidance_rate=0.2), t),
    ):
        assert (sampled(1.0) - sampled(0.2)).abs().max() > 1e-2


def test_temperatures_that_are_none_are_refused():
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(UserError, match=r"^TemperedClassifier: temperature must be positive and finite, got"):
            TemperedClassifier(MixtureClassifier(TWO), wrong)
        with pytest.raises(UserError, match=r"^Tempered: temperature must be positive and finite, got"):
            Tempered(ToyClassifier(), wrong)
