"""Text encoders of transformers and their tokenizers, from folders."""

import json
import logging
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from dsg.errors import UserError
from dsg.models.pretrained.component import Component
from dsg.models.text import TextEncoder, Tokenizer
from dsg.models.text.encoding import OneEncoder
from tests.models.tiny_text import LENGTH, clip, save_clip_tokenizer, save_t5_tokenizer, t5

transformers = pytest.importorskip("transformers")

TEXTS = ["a red door", "snow"]
NETWORKS = {"CLIPTextModel": clip, "CLIPTextModelWithProjection": lambda: clip(projected=True), "T5EncoderModel": t5}


@pytest.fixture
def saved(tmp_path):
    """Save an encoder and its tokenizer as a pipeline does; the component, the tokenizer and the network itself."""

    def save(kind="CLIPTextModel", rename=lambda tensors: tensors):
        torch.manual_seed(0)  # the weights are the same in whatever order tests run
        network, folder = NETWORKS[kind](), tmp_path / "text_encoder"
        network.save_pretrained(folder)
        save_file(rename(load_file(folder / "model.safetensors")), folder / "model.safetensors")
        (save_t5_tokenizer if kind.startswith("T5") else save_clip_tokenizer)(tmp_path / "tokenizer")
        tokenizer = "T5TokenizerFast" if kind.startswith("T5") else "CLIPTokenizer"
        file = folder / "config.json"
        component = Component(folder.name, kind, json.loads(file.read_text()), file, (folder / "model.safetensors",))
        return component, Tokenizer(tmp_path / "tokenizer", tokenizer, LENGTH), network

    return save


@pytest.mark.parametrize("kind", NETWORKS)
def test_it_says_what_its_library_says_and_draws_no_number(saved, kind):
    component, tokenizer, network = saved(kind)
    before = torch.get_rng_state()
    said = TextEncoder(component, tokenizer)(TEXTS)
    assert torch.equal(torch.get_rng_state(), before)
    answer = network(tokenizer(TEXTS)[0], output_hidden_states=True)
    torch.testing.assert_close(said.last, answer.last_hidden_state)
    assert (said.last[0] - said.last[1]).abs().max() > 0.1
    if kind == "T5EncoderModel":
        assert said.penultimate is None
        assert said.pooled is None
        return
    torch.testing.assert_close(said.penultimate, answer.hidden_states[-2])
    torch.testing.assert_close(said.pooled, answer.pooler_output if kind == "CLIPTextModel" else answer.text_embeds)


def test_weights_of_other_versions_of_the_library_are_read(saved):
    """With the prefix text_model., and a table of positions that is computed now."""

    def as_published(tensors):
        named = {f"text_model.{name.removeprefix('text_model.')}": tensor for name, tensor in tensors.items()}
        return named | {"text_model.embeddings.position_ids": torch.arange(LENGTH)[None]}

    component, tokenizer, network = saved(rename=as_published)
    said = TextEncoder(component, tokenizer)(TEXTS)
    torch.testing.assert_close(said.last, network(tokenizer(TEXTS)[0]).last_hidden_state)


def test_a_table_that_a_file_holds_twice_is_one(saved):
    component, tokenizer, _ = saved(
        "T5EncoderModel", lambda t: t | {"encoder.embed_tokens.weight": t["shared.weight"].clone()}
    )
    network = TextEncoder(component, tokenizer).network
    assert network.shared.weight.data_ptr() == network.encoder.embed_tokens.weight.data_ptr()


def test_it_keeps_its_own_precision_and_requires_no_gradient(saved):
    component, tokenizer, _ = saved()
    encoder = TextEncoder(component, tokenizer, "bfloat16").to(torch.float16)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.bfloat16}
    exact = TextEncoder(component, tokenizer)(TEXTS).last
    with torch.autocast("cpu", torch.bfloat16):
        said = encoder(TEXTS).last
    assert said.dtype == torch.float32
    assert not said.requires_grad
    assert 0 < (said - exact).abs().max() < 0.3


def test_a_text_is_encoded_once_however_often_it_stands_in_a_batch(saved, monkeypatch):
    component, tokenizer, _ = saved()
    encoding = OneEncoder([TextEncoder(component, tokenizer)])
    heard = []
    monkeypatch.setattr(
        Tokenizer, "__call__", lambda self, texts, own=Tokenizer.__call__: heard.append(texts) or own(self, texts)
    )
    told = encoding(["snow", "", "snow", "rain"])
    assert heard == [["snow", "", "rain"]]
    assert torch.equal(told.embedding[0], told.embedding[2])
    assert torch.equal(told.embedding[3:], encoding(["rain"]).embedding)


def test_a_text_that_is_too_long_is_refused_or_by_choice_cut_and_said_once(saved, caplog):
    component, tokenizer, _ = saved()
    encoder, long = TextEncoder(component, tokenizer), "abcdefghijklmnopq"  # a token a letter, and two
    with pytest.raises(UserError, match=r"prompt of b: has 19 tokens, and text_encoder takes 16 \(and 1 others"):
        OneEncoder([encoder]).check({"prompt of a": "snow", "prompt of b": long, "prompt of c": long + "r"})
    OneEncoder([encoder]).check({"prompt of a": long[:14]})
    cutting = OneEncoder([encoder], truncate=True)
    with caplog.at_level(logging.WARNING):
        told = [cutting([long]) for _ in range(2)]
    assert [record.getMessage() for record in caplog.records] == [
        f"the text {long!r}: has 19 tokens, and text_encoder takes 16; what is beyond is cut"
    ]
    assert torch.equal(told[0].embedding[:, :14], cutting([long[:14]]).embedding[:, :14])  # the 15th ends a word


def test_a_missing_library_is_one_line_that_says_how_to_get_it(saved, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match="needs transformers, which is not installed: pip install transformers"):
        Tokenizer(None, "CLIPTokenizer")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda f: [file.unlink() for file in f.iterdir()], "of the CLIPTokenizer, vocab.json is missing"),
        (lambda f: (f / "merges.txt").unlink(), "of the CLIPTokenizer, merges.txt is missing"),
        (lambda f: (f / "vocab.json").write_text("no JSON"), r"cannot read this CLIPTokenizer"),
    ],
)
def test_a_tokenizer_that_is_damaged_is_refused_in_one_line(saved, tmp_path, spoil, words):
    saved()
    spoil(tmp_path / "tokenizer")
    with pytest.raises(UserError, match=words) as error:
        Tokenizer(tmp_path / "tokenizer", "CLIPTokenizer", LENGTH)
    assert "\n" not in str(error.value)


def test_an_encoder_with_too_few_places_for_its_tokens_is_refused(saved):
    component, _, _ = saved()
    component.config["max_position_embeddings"] = LENGTH - 1
    tokenizer = Tokenizer(component.folder.parent / "tokenizer", "CLIPTokenizer")
    with pytest.raises(UserError, match="cannot take 16 tokens"):
        TextEncoder(component, tokenizer)
