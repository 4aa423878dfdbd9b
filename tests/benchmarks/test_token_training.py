"""What the training of the portraits' token model is made of."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.portraits.codes import labels_of, make_codes
from benchmarks.portraits.train_tokens import hidden, masked_loss, place_codes, shares_of
from dsg.data.portraits import render
from dsg.models.portraits.token_network import CODES, LENGTH, TokenNetwork, as_latents, nearest_codes


def test_as_many_tokens_are_masked_as_the_shares_say_and_one_at_least():
    generator = torch.Generator().manual_seed(0)
    shares = shares_of(500, generator)
    mask = hidden(torch.zeros(500, LENGTH, dtype=torch.uint8), shares, generator)
    found = mask.sum(1)
    assert (found >= 1).all()
    assert ((found - shares * LENGTH).abs() <= 1).all()
    assert mask.float().mean(0).std() < 0.03  # no place is preferred
    assert shares.sort().values.diff().max() <= 2 / 500


def test_the_loss_is_of_masked_tokens_alone_each_row_counting_the_same():
    network = torch.nn.Module()
    logits = torch.randn(2, LENGTH, CODES, generator=torch.Generator().manual_seed(0))
    network.forward = lambda tokens, labels: logits  # type: ignore[method-assign]
    tokens = torch.randint(CODES, (2, LENGTH), generator=torch.Generator().manual_seed(1))
    mask = torch.zeros(2, LENGTH, dtype=torch.bool)
    mask[0, :3] = mask[1, 5] = True
    log_p = logits.log_softmax(-1).gather(-1, tokens[..., None]).squeeze(-1)
    expected = -(log_p[0, :3].mean() + log_p[1, 5]) / 2
    assert masked_loss(network, tokens, torch.zeros(2), mask).item() == pytest.approx(expected.item(), rel=1e-5)


def test_tokens_of_codes_that_are_near_begin_with_embeddings_that_are_near():
    codes = torch.randn(CODES, 4, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenNetwork()
        place_codes(network, codes)
    apart = torch.pdist(codes)
    for weight in (network.token.weight[:CODES], network.head.weight):
        assert np.corrcoef(apart, torch.pdist(weight.detach()))[0, 1] > 0.8
    assert network.token.weight.grad is None


def test_a_small_network_learns_what_hangs_on_the_class_and_on_the_tokens_beside():
    """Two classes of constant sequences: a seen token tells the others, and the class tells all."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TokenNetwork(widths=(16, 32, 32))
    optimizer = torch.optim.AdamW(network.parameters(), 2e-2)
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([0, 1, 0, 1])
    tokens = (7 + 4 * labels)[:, None].expand(-1, LENGTH).contiguous()
    losses = []
    for _ in range(15):
        mask = hidden(tokens, shares_of(4, generator), generator)
        loss = masked_loss(network, tokens, labels, mask)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(np.log(CODES), abs=0.5)
    assert losses[-1] < 2.5


def test_codes_are_those_of_the_places_and_come_back_from_their_tokens():
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-3.0, 0, 0, 0], [0, 3.0, 0, 0], [0, 0, 3.0, 0]])
    tokens = torch.randint(3, (6, LENGTH), generator=generator)
    latents = as_latents(tokens, centres) + 0.01 * torch.randn(6, 4, 16, 16, generator=generator)
    codes = make_codes(latents, 3)
    found = nearest_codes(latents, codes)
    torch.testing.assert_close(as_latents(found, codes), latents, atol=0.1, rtol=0)
    counts = torch.bincount(found.flatten(), minlength=3)
    assert counts.tolist() == sorted(counts.tolist(), reverse=True)


def test_labels_are_those_of_the_drawn_portraits():
    assert labels_of(5, 2).tolist() == [render(5).label, render(6).label]
