"""The portraits as tokens: codes, decoder and network fit each other whatever the weights; what those shipped know."""

from __future__ import annotations

import pytest
import torch

from dsg.data.portraits import CLASSES, HELD_OUT_START, render
from dsg.diffusion.condition import ClassLabels
from dsg.errors import UserError
from dsg.models.portraits.network import save_weights
from dsg.models.portraits.token_network import CODES, LENGTH, CodedNetwork, TokenNetwork
from dsg.models.portraits.tokens import PortraitsTokens


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """With an untrained network and codes that are far apart."""
    file = tmp_path_factory.mktemp("weights") / "tokens.safetensors"
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenNetwork()
    save_weights(CodedNetwork(network, torch.randn(CODES, 4, generator=generator)).state_dict(), file)
    return PortraitsTokens(str(file))


def test_its_tokens_decode_to_portraits(model):
    assert (model.length, model.vocabulary, model.mask, model.num_classes) == (LENGTH, 256, 256, len(CLASSES))
    tokens = torch.randint(4, (2, 1), generator=torch.Generator().manual_seed(0)).expand(2, LENGTH)
    images = model.decode(tokens)
    assert images.shape == (2, *model.image_shape) == (2, 3, 64, 64)
    assert images.isfinite().all()
    back = model.encode(images)
    assert back.shape == (2, LENGTH)
    assert ((back >= 0) & (back < CODES)).all()
    assert model.has_decoder


def test_its_chances_sum_to_one_and_hang_on_the_class(model):
    masked = model.masked(1)
    told, untold = model(masked, ClassLabels(torch.tensor([3]))), model(masked)
    for chances in (told, untold):
        assert chances.shape == (1, LENGTH, CODES)
        torch.testing.assert_close(chances.exp().sum(-1), torch.ones(1, LENGTH))
    assert not torch.equal(told, untold)
    assert "tokens.safetensors" in model.weights


def test_a_mask_has_no_picture_and_other_weights_are_refused(model, tmp_path):
    with pytest.raises(UserError, match="got the mask; unmask it first"):
        model.decode(model.masked(1))
    save_weights({"other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(UserError, match=r"other\.safetensors"):
        PortraitsTokens(str(tmp_path / "other.safetensors"))


def test_the_shipped_weights_guess_the_hidden_half_of_held_out_portraits_and_better_of_the_right_class():
    shipped = PortraitsTokens()
    portraits = [render(HELD_OUT_START + i) for i in range(16)]
    tokens = shipped.encode(torch.stack([torch.from_numpy(portrait.image) for portrait in portraits]))
    hidden = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    seen, labels = torch.where(hidden, shipped.mask, tokens), torch.tensor([portrait.label for portrait in portraits])

    def nats(state, label):
        chances = shipped(state, ClassLabels(label)).gather(-1, tokens[..., None]).squeeze(-1)
        return -chances[hidden].mean().item()

    assert nats(seen, labels) < 2.5  # a code has ln 256 = 5.5
    every, others = shipped.masked(16), (labels + 4) % len(CLASSES)  # those with glasses without, and the other way
    assert nats(every, labels) < nats(every, others)
