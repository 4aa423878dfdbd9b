"""What a sampler refuses before the first sample, and of whose fault it speaks."""

import pytest
import torch

import tasks
from dsg.combiners import MixtureClassifier
from dsg.data.examples import Examples
from dsg.diffusion import Karras
from dsg.diffusion.kernels import DDIM, EulerMaruyama, Heun
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import DoesNotFit, UserError
from dsg.guidance import DAPS, DPS, TFG, UGD, ClassifierGradient, PiGDM, REDDiff, Unguided
from dsg.models.mixture import GaussianMixture
from dsg.sampling import Sampler
from tests.contract.toys import ToyFromNoiseAlone
from tests.toy import Toy

PAIR = GaussianMixture([1.0, 1.0], [[-1.0, 0.0], [1.0, 0.0]], 0.3, classes=[0, 1])


@pytest.mark.parametrize("guidance", [Unguided(), TFG(), DAPS(), REDDiff()], ids=lambda g: type(g).__name__)
@pytest.mark.parametrize("wrong", [{"steps": 5000}, {"spacing": Karras(sigma_max=1e9)}], ids=["steps", "spacing"])
def test_levels_that_do_not_exist_are_a_mistake_and_no_method_that_does_not_fit(guidance, wrong):
    with pytest.raises(UserError) as refusal:
        Sampler(Toy(16), tasks.Denoising(), guidance, **wrong)
    assert not isinstance(refusal.value, DoesNotFit)


@pytest.mark.parametrize("guidance", [TFG(), UGD(1.0), PiGDM("score"), DAPS()], ids=lambda g: type(g).__name__)
def test_a_method_that_divides_by_the_signal_is_refused_where_there_is_none(guidance):
    with pytest.raises(DoesNotFit, match=r"divides by √ā and cannot start from noise alone"):
        Sampler(ToyFromNoiseAlone(), tasks.Denoising(), guidance)


@pytest.mark.parametrize("guidance", [DPS(0.1), UGD(0.0, 2, 0.2), PiGDM(), REDDiff()], ids=lambda g: type(g).__name__)
def test_others_start_from_noise_alone(guidance):
    model = ToyFromNoiseAlone()
    sampler = Sampler(model, tasks.Denoising(), guidance, steps=4)
    process = sampler.begin(Examples(torch.zeros(1, *model.image_shape)), NoiseStreams([SampleKey(0, "a")]))
    *_, record = sampler.run(process)
    assert record.x_prev.isfinite().all()


@pytest.mark.parametrize("kernel", [DDIM(0.0), EulerMaruyama(0.0), Heun()], ids=repr)
def test_the_gradient_of_a_classifier_is_refused_under_a_kernel_without_noise(kernel):
    with pytest.raises(DoesNotFit, match="has σ = 0"):
        Sampler(PAIR, tasks.Generation(), ClassifierGradient(MixtureClassifier(PAIR)), kernel)


def test_universal_guidance_without_its_forward_stage_takes_no_backward_pass():
    sampler = Sampler(Toy(16), tasks.Denoising(), UGD(0.0, 2, 0.2), steps=3)
    process = sampler.begin(Examples(torch.zeros(1, 3, 16, 16)), NoiseStreams([SampleKey(0, "a")]))
    list(sampler.run(process))
    assert (process.forwards, process.backwards) == (3, 0)
