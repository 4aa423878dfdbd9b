"""EDM's networks as score models: x̂ is D, conditions are one-hot, levels are the network's."""

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from dsg.combiners import Autoguidance, ClassifierFree
from dsg.data.examples import Examples
from dsg.diffusion import Karras, SigmaTable
from dsg.diffusion.condition import ClassLabels
from dsg.diffusion.kernels import Heun
from dsg.diffusion.level import NoiseLevel
from dsg.diffusion.noise import NoiseStreams, SampleKey
from dsg.errors import UserError
from dsg.guidance import Unguided
from dsg.models.edm import EDM
from dsg.models.edm.build import NETWORKS
from dsg.models.weights import sha256
from dsg.sampling import Sampler
from tasks import Generation

DATA = Path(__file__).parents[1] / "data/edm"
TINY = {"img_resolution": 8, "img_channels": 3, "model_channels": 8, "channel_mult": [1], "num_blocks": 1}
LABELS = ClassLabels(torch.tensor([1, 3]))


def written(folder: Path, class_name: str, **options) -> str:
    """A network of random weights as a folder."""
    torch.manual_seed(0)
    network = NETWORKS[class_name](**TINY | options)
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"class_name": class_name, "init_kwargs": TINY | options}))
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(tensors, folder / "weights.safetensors")
    return str(folder)


@pytest.fixture(scope="module")
def latents() -> EDM:
    return EDM(str(DATA / "edm2_cond"))


def states(model: EDM, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, *model.shape, generator=torch.Generator().manual_seed(seed))


def model_state(x_t: torch.Tensor, level: NoiseLevel) -> torch.Tensor:
    """x_0 + σ ε, as the network sees it."""
    return (1.0 / level.signal) * x_t


def test_the_clean_estimate_is_the_networks_answer_bit_by_bit(latents):
    level, x_t = latents.schedule.level(0.7), states(latents)
    prediction = latents(x_t, level, LABELS)
    answer = latents.network(model_state(x_t, level), torch.full((2,), 0.7), torch.eye(10)[LABELS.labels])
    assert torch.equal(prediction.clean_estimate, answer)
    again = level.signal * prediction.clean_estimate + level.noise * prediction.epsilon
    torch.testing.assert_close(again, x_t)


def test_a_state_of_more_digits_keeps_them(latents):
    """The network hears float32, and what it says of a float64 state is of float64."""
    level, x_t = latents.schedule.level(2.0), states(latents).double()
    prediction = latents(x_t, level, LABELS)
    again = level.signal * prediction.clean_estimate + level.noise * prediction.epsilon
    assert (again - x_t).abs().max() < 1e-14


def test_latents_have_no_range_and_pictures_have(tmp_path, latents):
    assert latents.clean_range is None
    folder = written(tmp_path / "rgb", "Precond", label_dim=0)
    assert EDM(folder).clean_range == (-1.0, 1.0)
    assert EDM(folder, clean_range=None).clean_range is None
    with pytest.raises(UserError, match="clean_range must be low < high"):
        EDM(folder, clean_range=(1.0, -1.0))


def test_a_network_with_classes_needs_labels_unless_it_was_trained_with_dropped_ones(latents):
    level, x_t = latents.schedule.level(0.7), states(latents)
    assert not latents.knows_marginal
    with pytest.raises(UserError, match="conditional on 10 classes and needs class labels"):
        latents(x_t, level)
    dropped = EDM(str(DATA / "edm2_cond"), label_dropout=True)
    assert dropped.knows_marginal
    zeros = dropped.network(model_state(x_t, level), torch.full((2,), 0.7))
    assert torch.equal(dropped(x_t, level).clean_estimate, zeros)
    assert torch.equal(dropped(x_t, level, LABELS).clean_estimate, latents(x_t, level, LABELS).clean_estimate)


def test_an_unconditional_network_takes_no_labels_and_has_none_to_drop():
    guide = EDM(str(DATA / "edm2_guide_uncond"))
    assert not guide.is_conditional
    with pytest.raises(UserError, match="takes no condition"):
        guide(states(guide), guide.schedule.level(0.7), LABELS)
    with pytest.raises(UserError, match="label_dropout is of a network with classes"):
        EDM(str(DATA / "edm2_guide_uncond"), label_dropout=True)


@pytest.mark.parametrize(
    ("class_name", "options", "ends"),
    [
        ("EDMPrecond", {"model_type": "SongUNet"}, (0.002, 80.0)),
        ("Precond", {"label_dim": 0}, (0.002, 80.0)),
        ("VEPrecond", {}, (0.02, 80.0)),
        ("VPPrecond", {}, (0.002, 80.0)),
        ("EDMPrecond", {"sigma_max": 10.0}, (0.002, 10.0)),
    ],
)
def test_the_ends_of_the_schedule_are_the_samplers_inside_the_networks(tmp_path, class_name, options, ends):
    model = EDM(written(tmp_path / "net", class_name, **options))
    assert (model.schedule.cleanest.t, model.schedule.noisiest.t) == ends


def test_a_network_of_a_table_is_asked_at_its_levels_alone(tmp_path):
    model = EDM(written(tmp_path / "net", "iDDPMPrecond"))
    assert isinstance(model.schedule, SigmaTable)
    levels = Karras().steps(model.schedule, 18)
    assert {step.t for step in levels} <= set(model.network.levels())
    assert levels[0].t == pytest.approx(80.2037, rel=1e-6)
    assert EDM(written(tmp_path / "net", "iDDPMPrecond"), sigma_max=20000.0).schedule.noisiest.t > 10000.0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sigma_max": 101.0}, r"sigma_max 101\.0 is outside what the network knows, 0\.02 to 100"),
        ({"sigma_min": 0.01}, r"sigma_min 0\.01 is outside"),
        ({"sigma_min": 3.0, "sigma_max": 2.0}, "needs 0 < sigma_min < sigma_max"),
    ],
)
def test_levels_that_the_network_does_not_know_are_refused(tmp_path, options, said):
    with pytest.raises(UserError, match=said):
        EDM(written(tmp_path / "net", "VEPrecond"), **options)


def test_weights_are_told_by_the_hash_of_every_file(latents):
    files = [DATA / "edm2_cond" / name for name in ("config.json", "weights.safetensors")]
    assert latents.weights == {file.name: f"sha256:{sha256(file)}" for file in files}


def test_half_precision_weights_answer_nearly_the_same(latents):
    level, x_t = latents.schedule.level(0.7), states(latents)
    full = latents(x_t, level, LABELS)
    with torch.autocast("cpu", torch.bfloat16):
        cast = latents(x_t, level, LABELS)
    halved = EDM(str(DATA / "edm2_cond")).bfloat16()(x_t, level, LABELS)
    for prediction in (cast, halved):
        assert prediction.clean_estimate.dtype == torch.float32
        assert 0 < (prediction.clean_estimate - full.clean_estimate).abs().max() < 0.1


def test_channels_last_changes_the_layout_and_not_the_answer(latents):
    level, x_t = latents.schedule.level(0.7), states(latents)
    other = EDM(str(DATA / "edm2_cond"), channels_last=True)
    torch.testing.assert_close(other(x_t, level, LABELS).clean_estimate, latents(x_t, level, LABELS).clean_estimate)


def test_the_sampler_of_edm_nears_the_flow_of_a_gaussian_at_order_two(tmp_path):
    """out_gain 0 makes D exact for N(0, ¼ I), whose flow carries x to x s/√(s²+σ²)."""
    model = EDM(written(tmp_path / "net", "Precond", label_dim=0, sigma_data=0.5), clean_range=None)
    x_T, errors = states(model), []
    for steps in (12, 24):
        sampler = Sampler(model, Generation(), Unguided(), Heun(), steps, Karras())
        process = sampler.begin(Examples(None), NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
        *_, last = sampler.run(process, x_T)
        exact = model_state(x_T, sampler.levels[0]) * 0.5 / math.hypot(0.5, 80.0)
        errors.append(((last.x_prev - exact).norm() / exact.norm()).item())
    assert errors == pytest.approx([0.14066, 0.029218], rel=1e-3)  # of the scalar recursion, in float64


def test_autoguidance_takes_a_smaller_network_of_classes_and_one_without(latents):
    level = Karras().steps(latents.schedule, 8)[3]
    for guide in (EDM(str(DATA / "edm2_guide_uncond")), EDM(str(DATA / "edm2_cond"))):
        combiner = Autoguidance(2.0, guide=guide)
        combiner.check(latents, Heun())
        sampler = Sampler(latents, Generation(), Unguided(), Heun(), 8, Karras(), combiner=combiner)
        examples = Examples(None, {"label": LABELS.labels})
        process = sampler.begin(examples, NoiseStreams([SampleKey(0, "a"), SampleKey(0, "b")]))
        x_t, heard = states(latents), LABELS if guide.is_conditional else None
        found = process.predict(x_t, level).clean_estimate
        strong, weak = latents(x_t, level, LABELS).clean_estimate, guide(x_t, level, heard).clean_estimate
        torch.testing.assert_close(found, weak + 2.0 * (strong - weak))


def test_classifier_free_guidance_names_autoguidance_for_a_network_without_dropped_labels(latents):
    with pytest.raises(UserError, match="use Autoguidance with an unconditional guide"):
        ClassifierFree(2.0).check(latents, Heun())
    ClassifierFree(2.0).check(EDM(str(DATA / "edm2_cond"), label_dropout=True), Heun())
