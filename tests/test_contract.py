"""What every guidance must do with every task and model. A new method, task or model joins by one line of a list."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

import tasks
from dsg.errors import UserError
from dsg.guidance import (
    BODDNM,
    DAPS,
    DDNM,
    DDRM,
    DPS,
    DSG,
    LGDMC,
    MPGD,
    TFG,
    UGD,
    DiffPIR,
    FreeDoM,
    Guidance,
    PiGDM,
    REDDiff,
    Unguided,
)
from dsg.guidance.langevin import Langevin
from dsg.guidance.metropolis import MetropolisHastings
from dsg.kernels import DDIM, DDPM
from dsg.models.base import ScoreModel
from dsg.noise import NoiseStreams, SampleKey
from dsg.process import ReverseProcess
from dsg.sampling import Sampler
from dsg.trace import StepRecord
from tasks import Task
from tests.toy import Toy, ToyClassifier


@dataclass(frozen=True)
class Method:
    """A guidance, its twin of zero strength if it has a strength, and the network evaluations of S steps: (forward,
    backward)."""

    guidance: Guidance
    zero: Guidance | None
    evaluations: tuple[int, int]


STEPS = 10
METHODS = {
    "unguided": Method(Unguided(), Unguided(), (STEPS, 0)),
    "dps": Method(DPS(0.5), DPS(0.0), (STEPS, STEPS)),
    "dsg": Method(DSG(guidance_rate=0.2), DSG(guidance_rate=0.0), (STEPS, STEPS - 1)),
    "dsg, interval and window": Method(
        DSG(guidance_rate=0.2, interval=2, start=2, stop=8), DSG(guidance_rate=0.0), (STEPS, 3)
    ),
    "dsg, rising rate and chi radius": Method(
        DSG(guidance_rate=0.1, final_rate=0.4, radius="chi"), DSG(guidance_rate=0.0, radius="chi"), (STEPS, STEPS - 1)
    ),
    "freedom": Method(FreeDoM(2.0, 2, 2, 6), FreeDoM(0.0, 2), (STEPS + 4, STEPS + 4)),
    "lgd-mc": Method(LGDMC(0.5, draws=3), LGDMC(0.0), (STEPS, STEPS)),
    "mpgd": Method(MPGD(0.5), MPGD(0.0), (STEPS, 0)),
    "ugd": Method(UGD(0.5, 2, 0.2, 2), UGD(0.0, 0, 1.0, 2), (2 * STEPS, 2 * STEPS)),
    "tfg": Method(TFG(0.3, 0.1, 0.1), TFG(0.0, 0.0), (STEPS, STEPS)),
    "tfg, mean guidance alone": Method(TFG(0.0, 0.2), TFG(0.0, 0.0), (STEPS, 0)),
    "dsg over freedom": Method(
        DSG(FreeDoM(repetitions=2, travel_start=2, travel_stop=6), 0.2), DSG(FreeDoM(), 0.0), (STEPS + 4, STEPS + 3)
    ),
    "dsg over lgd-mc": Method(DSG(LGDMC(draws=3), 0.2), DSG(LGDMC(), 0.0), (STEPS, STEPS - 1)),
    "dsg over ugd": Method(DSG(UGD(), 0.2), DSG(UGD(), 0.0), (STEPS, STEPS - 1)),
    "dsg over mpgd": Method(DSG(MPGD(), 0.2), DSG(MPGD(), 0.0), (STEPS, 0)),
    "pigdm": Method(PiGDM(), None, (STEPS, STEPS)),
    "pigdm as a score": Method(PiGDM("score"), None, (STEPS, STEPS)),
    "dsg over pigdm": Method(DSG(PiGDM(), 0.2), DSG(PiGDM(), 0.0), (STEPS, STEPS - 1)),
    "ddnm": Method(DDNM(), None, (STEPS, 0)),
    "ddnm, corrected epsilon": Method(DDNM(keep_epsilon=False), None, (STEPS, 0)),
    "bo-ddnm": Method(BODDNM(), None, (STEPS, 0)),
    "diffpir": Method(DiffPIR(), None, (STEPS, 0)),
    "red-diff": Method(REDDiff(learning_rate=0.2), None, (STEPS, 0)),
    "daps": Method(DAPS(likelihood_sigma=0.1, chain=Langevin(20)), None, (2 * STEPS - 1, 0)),
    "daps, metropolis-hastings": Method(
        DAPS(likelihood_sigma=0.1, chain=MetropolisHastings(100)), None, (2 * STEPS - 1, 0)
    ),
    "ddrm": Method(DDRM(), None, (STEPS, 0)),
}
TASKS: dict[str, Task] = {
    "random inpainting": tasks.RandomInpainting(),
    "box inpainting": tasks.BoxInpainting(size=6, margin=1),
    "super-resolution": tasks.SuperResolution(factor=4),
    "gaussian deblurring": tasks.GaussianDeblurring(kernel_size=9, sigma=1.5),
    "motion deblurring": tasks.MotionDeblurring(kernel_size=7),
    "denoising": tasks.Denoising(),
    "poisson denoising": tasks.Denoising(noise=tasks.PoissonNoise()),
    "class label": tasks.ClassLabel(ToyClassifier()),
}
MODELS: dict[str, ScoreModel] = {"toy": Toy(16), "toy with learned variance": Toy(16, learns_variance=True)}

every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
every_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
every_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def references(count: int) -> Tensor:
    images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return torch.nn.functional.avg_pool2d(images, 5, 1, 2) * 2


def sample(
    model: ScoreModel, task: Task, guidance: Guidance, reference: Tensor, names: list[str], seed: int = 0
) -> tuple[Tensor, list[StepRecord], ReverseProcess]:
    kernel = DDPM("learned_range") if model.learns_variance else DDIM(eta=1.0)
    try:
        guidance.check(kernel, task, model)
    except UserError as refusal:
        pytest.skip(str(refusal))
    sampler = Sampler(model, task, guidance, kernel, STEPS)
    process = sampler.begin(reference, NoiseStreams([SampleKey(seed, name) for name in names]))
    records = list(sampler.run(process))
    return records[-1].x_prev, records, process


@every_method
@every_task
@every_model
def test_a_batch_of_four_is_four_batches_of_one(method, task, model):
    images, names = references(4), ["a", "b", "c", "d"]
    together, _, _ = sample(model, task, method.guidance, images, names)
    for i, name in enumerate(names):
        alone, _, _ = sample(model, task, method.guidance, images[i : i + 1], [name])
        assert torch.allclose(together[i], alone[0], atol=1e-4), name


@every_method
@every_task
@every_model
def test_the_method_evaluates_the_network_as_often_as_it_declares(method, task, model):
    _, _, process = sample(model, task, method.guidance, references(2), ["a", "b"])
    assert (process.forwards, process.backwards) == method.evaluations


@every_method
@every_task
@every_model
def test_zero_strength_is_the_unguided_sampler(method, task, model):
    if method.zero is None:
        pytest.skip("the method has no strength")
    zero, _, process = sample(model, task, method.zero, references(2), ["a", "b"])
    unguided, _, _ = sample(model, task, Unguided(), references(2), ["a", "b"])
    assert torch.equal(zero, unguided)
    assert process.backwards == 0


@pytest.mark.parametrize("name", [name for name in METHODS if name != "unguided"])
@every_task
@every_model
def test_guidance_lowers_the_loss(name, task, model):
    names = [str(i) for i in range(8)]
    losses = []
    for guidance in (Unguided(), METHODS[name].guidance):
        x, _, process = sample(model, task, guidance, references(8), names)
        losses.append(task.loss(x, process.measurement).mean())
    assert losses[1] < losses[0]


@every_method
@every_model
def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(method, model):
    task = TASKS["random inpainting"]
    first, again, other = (
        sample(model, task, method.guidance, references(2), ["a", "b"], seed)[0] for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


@every_method
@every_task
@every_model
def test_constant_images_give_finite_samples(method, task, model):
    x, records, _ = sample(model, task, method.guidance, torch.zeros(2, 3, 16, 16), ["a", "b"])
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)


@every_method
@every_model
def test_no_step_leaves_a_graph_and_no_weight_requires_a_gradient(method, model):
    _, records, _ = sample(model, TASKS["denoising"], method.guidance, references(2), ["a", "b"])
    for record in records:
        held = [
            record.x_prev,
            record.prediction.clean_estimate,
            record.prediction.epsilon,
            record.loss,
            record.gradient,
        ]
        assert not any(tensor.requires_grad for tensor in held if tensor is not None)
    assert not any(p.requires_grad for p in model.parameters())


@every_method
def test_bf16_autocast_reaches_the_network_alone_and_agrees_with_float32_to_a_few_percent(method):
    task, names = TASKS["super-resolution"], ["a", "b"]
    exact, _, _ = sample(MODELS["toy"], task, method.guidance, references(2), names)
    with torch.autocast("cpu", torch.bfloat16):
        rounded, records, process = sample(MODELS["toy"], task, method.guidance, references(2), names)
    assert (rounded - exact).norm() / exact.norm() < 0.05
    assert not torch.equal(rounded, exact)
    assert process.measurement.y.dtype == records[0].x_prev.dtype == torch.float32
    assert all(r.gradient is None or r.gradient.dtype == torch.float32 for r in records)


@every_method
def test_a_broken_image_breaks_no_neighbour(method):
    """One image is NaN from the start; the other is what it is alone."""
    task, names = TASKS["denoising"], ["a", "b"]
    images = references(2)
    images[0] = torch.nan
    together, _, _ = sample(MODELS["toy"], task, method.guidance, images, names)
    alone, _, _ = sample(MODELS["toy"], task, method.guidance, images[1:], names[1:])
    assert torch.allclose(together[1], alone[0], atol=1e-4)
