"""CLIP from the files of transformers and of OpenAI: the same pictures, tokens and texts as their own networks have."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from torch.nn import functional

from dsg.errors import UserError
from dsg.models.weights import weights_of
from tasks.features import CLIP as COLOURS
from tasks.features import Resize
from tasks.networks.clip import CLIP
from tests.models.tiny_text import save_clip_tokenizer
from tests.tasks.networks import tiny_clip as tiny

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
TEXTS = ["a red door", "snow"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.save(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("openai") / "clip.pt"
    facts = {"input_resolution": 32, "context_length": 16, "vocab_size": 54}
    torch.save({**tiny.openai_state(), **{name: torch.tensor(n) for name, n in facts.items()}}, path)
    return path


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1


def in_float32(state):
    return {name: tensor.float() for name, tensor in state.items()}


def test_a_folder_says_of_pictures_texts_and_tokens_what_transformers_says(folder, images):
    import transformers

    model, theirs = CLIP(str(folder)), transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    unit = functional.interpolate((images + 1) / 2, (32, 32), mode="bicubic")
    mean, std = (torch.tensor(values)[:, None, None] for values in (COLOURS.mean, COLOURS.std))
    told = theirs(
        **tokenizer(TEXTS, padding=True, return_tensors="pt"),
        pixel_values=(unit - mean) / std,
        output_hidden_states=True,
    )
    close = {"atol": 1e-5, "rtol": 1e-4}
    torch.testing.assert_close(functional.normalize(model(images)), told.image_embeds, **close)
    torch.testing.assert_close(functional.normalize(model.text_features(TEXTS)), told.text_embeds, **close)
    hidden = told.vision_model_output.hidden_states
    for blocks in (1, 2, 3):
        torch.testing.assert_close(model.tokens(images, blocks), hidden[blocks][:, 1:], **close)
    assert set(weights_of(model)) == {"config.json", "model.safetensors"} | {
        f"{folder.name}/{path.name}" for path in folder.iterdir()
    }


def test_a_file_of_openai_s_names_is_the_network_that_its_numbers_say(file, images, tmp_path):
    save_clip_tokenizer(tmp_path / "words")
    model, state = CLIP(str(file), tokenizer=str(tmp_path / "words")), in_float32(tiny.openai_state())
    close = {"atol": 1e-4, "rtol": 1e-4}
    seen = COLOURS(Resize(32, "bicubic")(images))
    torch.testing.assert_close(model(images), tiny.image_features(state, seen), **close)
    torch.testing.assert_close(model.tokens(images, 2), tiny.image_features(state, seen, 2)[:, 1:], **close)
    ids, _ = model.tokenizer(TEXTS)
    torch.testing.assert_close(model.text_features(TEXTS), tiny.text_features(state, ids), **close)
    assert set(weights_of(model)) == {"clip.pt", *(f"words/{path.name}" for path in (tmp_path / "words").iterdir())}


def test_the_published_archive_is_opened_only_with_its_checksum(file, tmp_path, images):
    class Archive(torch.nn.Module):
        def __init__(self, state):
            super().__init__()
            for name, tensor in state.items():
                *path, leaf = name.split(".")
                module = self
                for part in path:
                    if not hasattr(module, part):
                        module.add_module(part, torch.nn.Module())
                    module = getattr(module, part)
                module.register_buffer(leaf, tensor)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    path = tmp_path / "ViT-B-16.pt"
    torch.jit.save(torch.jit.script(Archive(tiny.openai_state())), path)
    with pytest.raises(UserError, match=r"TorchScript, a program.*state its sha256.*state_dict"):
        CLIP(str(path))
    with pytest.raises(UserError, match="is not run"):
        CLIP(str(path), sha256="0" * 64)
    model = CLIP(str(path), sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert torch.equal(model(images), CLIP(str(file))(images))


def test_gradients_reach_the_pictures_and_no_weight_and_preparation_can_be_another(folder, images):
    model = CLIP(str(folder), prepare=[Resize(32)]).double()
    x = images.double().requires_grad_()
    (gradient,) = torch.autograd.grad(model.tokens(x, 1).square().sum() + model(x).square().sum(), x)
    assert gradient.flatten(1).norm(dim=1).min() > 0
    assert not any(p.requires_grad for p in model.parameters())
    torch.testing.assert_close(model.prepared(x), Resize(32)(x))


def wrong_kind(folder, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "t5"}))
    return CLIP(str(tmp_path))


def other_weights(folder, tmp_path):
    torch.save({"layer.weight": torch.zeros(2)}, tmp_path / "other.pt")
    return CLIP(str(tmp_path / "other.pt"))


def another_shape(folder, tmp_path):
    state = tiny.openai_state()
    torch.save({**state, "visual.proj": state["visual.proj"][:, :5].clone()}, tmp_path / "cut.pt")
    return CLIP(str(tmp_path / "cut.pt"))


def no_words(folder, tmp_path):
    torch.save(tiny.openai_state(), tmp_path / "clip.pt")
    return CLIP(str(tmp_path / "clip.pt")).text_features(["snow"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (wrong_kind, "is of 't5', and clip is read"),
        (lambda folder, tmp_path: CLIP(str(tmp_path)), "config.json: is missing"),
        (lambda folder, tmp_path: CLIP(str(tmp_path / "nothing")), "no such folder"),
        (other_weights, "no CLIP with a ViT under OpenAI's names .*layer.weight"),
        (another_shape, r"visual_projection.weight \(5, 64\) instead of \(24, 64\)"),
        (no_words, "has no tokenizer and takes no texts"),
        (lambda folder, tmp_path: CLIP(str(folder), sha256="0" * 64), "sha256: is of OpenAI's archive"),
        (lambda folder, tmp_path: CLIP(str(folder)).tokens(torch.zeros(1, 3, 32, 32), 4), "after 1 to 3 blocks, got 4"),
        (lambda folder, tmp_path: CLIP(str(folder)).text_features(["a" * 30]), "has 32 tokens, and CLIP takes 16"),
    ],
)
def test_what_is_no_clip_or_not_asked_rightly_is_one_line(wrong, message, folder, tmp_path):
    with pytest.raises(UserError, match=message) as raised:
        wrong(folder, tmp_path)
    assert "\n" not in str(raised.value)


def test_without_transformers_the_line_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(UserError, match=r"transformers.*is not installed"):
        CLIP(str(folder))
