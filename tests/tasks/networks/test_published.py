"""Published networks: their names and shapes, their files, and what they say of bad ones."""

from __future__ import annotations

import json
import shutil
import zlib

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

import tasks
from dsg.errors import UserError
from dsg.models.checkpoint import load_exactly
from dsg.models.weights import weights_of
from tasks.features import IMAGENET, UNIT_RANGE, Pool, Prepared, Resize
from tasks.networks import lraspp
from tasks.networks.anime2sketch import SketchUNet
from tasks.networks.arcface import FACE, IRSE
from tasks.networks.bisenet import BiSeNet, FaceParsing
from tasks.networks.mobilefacenet import LandmarkNet, MobileFaceNet
from tasks.networks.semantic import SemanticSegmentation


@pytest.mark.parametrize(
    ("build", "tensors", "numbers", "fingerprint"),
    [
        (IRSE, 397, 43_824_118, 3645748685),
        (FaceParsing, 191, 13_313_119, 2024105841),
        (SketchUNet, 32, 54_405_505, 2878254024),
        (LandmarkNet, 333, 1_026_898, 1797175611),
        (lraspp.untrained, 319, 3_246_241, 3197793937),
    ],
)
def test_names_and_shapes_are_the_published_ones(build, tensors, numbers, fingerprint):
    with torch.device("meta"):
        state = build().state_dict()
    lines = sorted(f"{name} {list(tensor.shape)}" for name, tensor in state.items())
    assert (len(state), sum(t.numel() for t in state.values())) == (tensors, numbers)
    assert zlib.crc32("\n".join(lines).encode()) == fingerprint


@pytest.fixture(scope="module")
def landmark_file(tmp_path_factory):
    """Weights of MobileFaceNet as the published file keeps them."""
    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "mobilefacenet.pth"
    torch.save({"epoch": 3, "state_dict": LandmarkNet().state_dict()}, file)
    return str(file)


def test_landmarks_are_asked_of_the_published_file_and_its_hash_is_told(landmark_file):
    network = MobileFaceNet(landmark_file)
    task = tasks.Landmarks(network, face_box=[8, 8, 40, 40])
    task.check((3, 64, 64))
    (digest,) = weights_of(nn.ModuleList(task.networks())).values()
    assert digest.startswith("sha256:")
    pixels = network.to_pixels(torch.full((1, 136), 0.5), 64, 32)
    assert pixels.shape == (1, 68, 2)
    assert pixels[0, 0].tolist() == [16, 32]
    torch.testing.assert_close(network.from_pixels(pixels, 64, 32), torch.full((1, 136), 0.5))


def test_a_prefix_of_a_training_is_seen_through(tmp_path):
    network = SketchUNet(levels=5, width=2)
    torch.save({f"module.{name}": tensor for name, tensor in network.state_dict().items()}, tmp_path / "netG.pth")
    loaded = SketchUNet(levels=5, width=2).eval()
    load_exactly(loaded, tmp_path / "netG.pth")
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded(x), network.eval()(x))
    assert loaded(x).shape == (1, 1, 64, 64)


def test_an_embedding_has_length_one_and_sees_the_window_alone():
    torch.manual_seed(0)
    network = Prepared(IRSE([(16, 1), (16, 2)], size=112, width=8), FACE).eval().requires_grad_(False)
    x = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    embedding = network(x)
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    (gradient,) = torch.autograd.grad(embedding[:, 0].sum(), x)
    seen = gradient.abs().sum((0, 1)) > 0
    rows, columns = seen.any(1).nonzero().flatten().tolist(), seen.any(0).nonzero().flatten().tolist()
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (8, 55, 8, 54)  # 35:223 and 32:220, four times coarser


@pytest.mark.parametrize("load", [MobileFaceNet, BiSeNet], ids=lambda load: load.__name__)
def test_weights_of_another_network_are_refused_by_their_first_names_and_shapes(load, tmp_path):
    save_file(
        {"conv1.conv.weight": torch.zeros(64, 1, 3, 3), "head.weight": torch.zeros(2)}, tmp_path / "w.safetensors"
    )
    with pytest.raises(UserError, match=r"missing: .*\(.*unknown: .*head.weight \(2,\)"):
        load(str(tmp_path / "w.safetensors"))


def test_a_network_whose_weights_are_no_numbers_is_refused_before_the_first_sample(landmark_file, tmp_path):
    state = torch.load(landmark_file)["state_dict"]
    state["conv1.bn.weight"][3] = torch.nan
    torch.save(state, tmp_path / "broken.pth")
    with pytest.raises(UserError, match="not finite; check its weights"):
        tasks.Landmarks(MobileFaceNet(str(tmp_path / "broken.pth"))).check((3, 64, 64))


def test_pictures_of_another_size_than_the_network_s_are_refused(landmark_file):
    network = MobileFaceNet(landmark_file, prepare=[UNIT_RANGE, Pool(56)])
    with pytest.raises(UserError, match=r"cannot take images of shape \(3, 64, 64\)"):
        tasks.Landmarks(network).check((3, 64, 64))


def test_torchvision_s_network_answers_a_tensor_of_logits(tmp_path):
    save_file(lraspp.untrained().state_dict(), tmp_path / "lraspp.safetensors")
    network = lraspp.LRASPP(str(tmp_path / "lraspp.safetensors"), prepare=[Resize(64), IMAGENET])
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 21, 64, 64)


@pytest.fixture(scope="module")
def segformer(tmp_path_factory):
    """A tiny SegFormer with its image processor, as transformers saves it."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.SegformerConfig(
        num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[8, 8], patch_sizes=[7, 3], strides=[4, 2],
        num_attention_heads=[1, 1], mlp_ratios=[1, 1], decoder_hidden_size=8, num_labels=5,
    )  # fmt: skip
    network = transformers.SegformerForSemanticSegmentation(config).eval()
    folder = tmp_path_factory.mktemp("segformer")
    network.save_pretrained(folder)
    processor = {"do_resize": True, "size": {"height": 32, "width": 32}, "resample": 2, "do_normalize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps({**processor, **vars_of(IMAGENET)}))
    return folder, network


def vars_of(normalise):
    return {"image_mean": list(normalise.mean), "image_std": list(normalise.std)}


def test_a_folder_of_transformers_segments_pictures_prepared_as_it_says(segformer):
    folder, network = segformer
    x = torch.rand(2, 3, 48, 48) * 2 - 1
    seen = IMAGENET(nn.functional.interpolate(x, (32, 32), mode="bilinear", antialias=True))
    expected = nn.functional.interpolate(network(seen).logits, (32, 32), mode="bilinear")
    ours = SemanticSegmentation(str(folder))
    torch.testing.assert_close(ours(x), expected)
    assert set(ours.weights) == {"config.json", "preprocessor_config.json", "model.safetensors"}
    tasks.Segmentation(ours).check((3, 48, 48))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: (folder / "preprocessor_config.json").unlink(), "preprocessor_config.json: is missing"),
        (lambda folder: edit(folder / "preprocessor_config.json", size={"shortest_edge": 32}), "set prepare"),
        (lambda folder: edit(folder / "preprocessor_config.json", do_center_crop=True), "do_center_crop is True"),
        (lambda folder: edit(folder / "preprocessor_config.json", do_rescale=False), "do_rescale is False"),
        (lambda folder: edit(folder / "config.json", architectures=["SegformerModel"]), "is of SegformerModel"),
        (lambda folder: edit(folder / "config.json", num_labels=4), "of another shape"),
    ],
)
def test_a_folder_that_does_not_fit_is_one_line(segformer, tmp_path, change, message):
    folder = shutil.copytree(segformer[0], tmp_path / "network")
    change(folder)
    with pytest.raises(UserError, match=message):
        SemanticSegmentation(str(folder))


def edit(file, **changes):
    content = json.loads(file.read_text()) | changes
    if "num_labels" in changes:
        content |= {"id2label": {str(i): str(i) for i in range(4)}, "label2id": {str(i): i for i in range(4)}}
    file.write_text(json.dumps(content))
