"""What every guidance must do with every task and model. A new method, task or model joins by one line of a list.

More of it is in tests/contract/. `--guidance my_module.MyMethod` runs it for a method from outside.
"""

from __future__ import annotations

import pytest
import torch

import tasks
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
    PiGDM,
    REDDiff,
    Unguided,
)
from dsg.guidance.langevin import Langevin
from dsg.guidance.metropolis import MetropolisHastings
from dsg.models.base import ScoreModel
from tasks import Task
from tests.contract.run import STEPS, Method, agree, references, sample
from tests.toy import Toy, ToyClassifier

pytestmark = pytest.mark.contract


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
    "colourisation": tasks.Colourisation(),
    "phase retrieval": tasks.PhaseRetrieval(),
    "high dynamic range": tasks.HighDynamicRange(),
}
MODELS: dict[str, ScoreModel] = {"toy": Toy(16), "toy with learned variance": Toy(16, learns_variance=True)}


def test_an_image_in_a_batch_of_four_is_what_it_is_alone(method, task, model, four):
    together, _, batch = four
    for i in (0, 3):
        alone, _, process = sample(model, task, method.guidance, references(4)[i : i + 1], "abcd"[i])
        own = [estimate[i : i + 1] for estimate in batch.predict.estimates]
        assert agree(alone, together[i : i + 1], process.predict.estimates, own), i
        assert (process.forwards, process.backwards) == (batch.forwards, batch.backwards)


def test_the_method_evaluates_the_network_as_often_as_it_declares(method, task, model, four):
    process = four[2]
    if method.evaluations is None:
        assert process.forwards == STEPS
        assert process.backwards <= STEPS
    else:
        assert (process.forwards, process.backwards) == method.evaluations


def test_zero_strength_is_the_unguided_sampler(method, task, model, unguided):
    if method.zero is None:
        pytest.skip(method.without_zero)
    zero, _, process = sample(model, task, method.zero, references(4), "abcd")
    assert torch.equal(zero, unguided[0])
    assert process.backwards == 0


def test_guidance_lowers_the_loss(method, task, model, four, unguided):
    if isinstance(method.guidance, Unguided):
        pytest.skip("it does not guide")
    (guided, _, process), (free, _, _) = four, unguided
    assert task.loss(guided, process.measurement).mean() < task.loss(free, process.measurement).mean()


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(method, model):
    task = TASKS["super-resolution"]
    first, again, other = (sample(model, task, method.guidance, references(2), "ab", seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)


def test_constant_images_give_finite_samples(method, task, model):
    x, records, _ = sample(model, task, method.guidance, torch.zeros(2, 3, 16, 16), "ab")
    assert x.isfinite().all()
    assert all(r.gradient is None or r.gradient.isfinite().all() for r in records)


def test_no_step_leaves_a_graph_and_no_weight_requires_a_gradient(method, model):
    _, records, _ = sample(model, TASKS["denoising"], method.guidance, references(2), "ab")
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


def test_bf16_autocast_reaches_the_network_alone_and_agrees_with_float32_to_a_tenth(method):
    task = TASKS["super-resolution"]
    exact, _, _ = sample(MODELS["toy"], task, method.guidance, references(2), "ab")
    with torch.autocast("cpu", torch.bfloat16):
        rounded, records, process = sample(MODELS["toy"], task, method.guidance, references(2), "ab")
    assert (rounded - exact).norm() / exact.norm() < 0.1
    assert not torch.equal(rounded, exact)
    assert process.measurement.y.dtype == records[0].x_prev.dtype == torch.float32
    assert all(r.gradient is None or r.gradient.dtype == torch.float32 for r in records)


def test_a_broken_image_breaks_no_neighbour(method):
    """One image is NaN from the start; the other is what it is alone."""
    task = TASKS["denoising"]
    images = references(2)
    images[0] = torch.nan
    together, _, _ = sample(MODELS["toy"], task, method.guidance, images, "ab")
    alone, _, _ = sample(MODELS["toy"], task, method.guidance, images[1:], "b")
    assert torch.allclose(together[1], alone[0], atol=1e-4)
