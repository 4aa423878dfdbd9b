"""Token models: a table whose conditionals are sums, a network of one's own, and what both refuse."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from dsg.diffusion.condition import ClassLabels
from dsg.errors import UserError
from dsg.models.tokens import JointTable, NetworkTokens, TableJudge
from tests.contract.tokens import random_table, tiny_network

CLASSES = random_table(1, length=3, vocabulary=2)
MODEL = JointTable(CLASSES, [1.0, 3.0])
JOINT = torch.stack([w * table / table.sum() for w, table in zip((0.25, 0.75), CLASSES, strict=True)])


def by_counting(state: tuple[int, ...], table: torch.Tensor, place: int) -> torch.Tensor:
    """p(x_place | state) from a table (2, 2, 2), cell by cell."""
    found = torch.zeros(2, dtype=torch.float64)
    for cell in product(range(2), repeat=3):
        if all(seen in (2, token) for seen, token in zip(state, cell, strict=True)):
            found[cell[place]] += table[cell]
    return found / found.sum()


@pytest.mark.parametrize("label", [None, 0, 1])
def test_every_conditional_of_a_table_is_what_counting_its_cells_gives(label):
    table = JOINT.sum(0) if label is None else JOINT[label]
    states = torch.tensor(list(product(range(3), repeat=3)))
    condition = None if label is None else ClassLabels(torch.full((len(states),), label))
    found = MODEL(states, condition).exp()
    for state, rows in zip(states.tolist(), found, strict=True):
        for place in range(3):
            torch.testing.assert_close(rows[place], by_counting(tuple(state), table, place))


def test_the_judge_of_a_table_gives_the_classes_of_its_cells():
    cells = torch.tensor(list(product(range(2), repeat=3)))
    expected = (JOINT / JOINT.sum(0)).flatten(1).T
    torch.testing.assert_close(TableJudge(MODEL)(cells.float()).softmax(1), expected)
    with pytest.raises(UserError, match="knows the tokens 0 to 1, got 3"):
        TableJudge(MODEL)(torch.tensor([[0.0, 3.0, 1.0]]))
    with pytest.raises(UserError, match="one class alone"):
        TableJudge(JointTable(CLASSES[:1]))


def test_exact_samples_of_a_table_are_as_frequent_as_its_chances():
    normal = torch.randn(40_000, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = MODEL.transform(normal, torch.zeros(40_000, dtype=torch.long)).long()
    share = torch.bincount(found @ torch.tensor([4, 2, 1]), minlength=8) / 40_000
    torch.testing.assert_close(share.double(), (4 * JOINT[0]).flatten(), atol=0.01, rtol=0)


def test_tokens_outside_the_vocabulary_are_refused_and_a_mask_by_its_name():
    for tokens, says in (([0, 1, -1], "got -1; take the model"), ([0, 2, 1], "got the mask; unmask it first")):
        with pytest.raises(UserError, match=f"knows the tokens 0 to 1, {says}"):
            MODEL.decode(torch.tensor([tokens]))
    with pytest.raises(UserError, match=r"needs 3 tokens, got \(2,\)"):
        MODEL.decode(torch.tensor([[0, 1]]))


@pytest.mark.parametrize(
    ("classes", "weights", "says"),
    [
        ([[0.5, -0.5]], None, "chances must be at least 0"),
        ([[0.0, 0.0]], None, "no table all 0"),
        ([[[0.5, 0.5]]], None, "each table must be V × ... × V"),
        ([[0.5, 0.5], [1.0]], None, "tables of numbers, all of one shape"),
        ([[0.5, 0.5]], [1.0, 1.0], "weights must be 1 positive numbers"),
        (torch.ones(1, *[4] * 9), None, "holds at most 65536 chances"),
    ],
)
def test_what_is_no_table_is_refused(classes, weights, says):
    with pytest.raises(UserError, match=says):
        JointTable(classes, weights)


class Echo(nn.Module):
    """Logits that say what it was given: 1 at each token, of which the network knows six."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(tokens, 6).float()


def test_a_network_sees_the_mask_by_its_own_number_and_never_draws_it():
    model = NetworkTokens(Echo(), length=2, vocabulary=4, mask_id=5)
    found = model(torch.tensor([[model.mask, 1]]))
    assert found.shape == (1, 2, 4)
    torch.testing.assert_close(found[0, 0].exp(), torch.full((4,), 0.25))
    assert found[0, 1].argmax() == 1


def test_a_mask_that_is_a_token_of_the_vocabulary_is_refused():
    with pytest.raises(UserError, match="mask_id 3 is a token of the vocabulary 0 to 3"):
        NetworkTokens(Echo(), length=2, vocabulary=4, mask_id=3)


def test_a_network_that_answers_too_little_or_knows_no_null_class_is_refused():
    with pytest.raises(UserError, match=r"has to answer \(B, L, V\) logits"):
        NetworkTokens(Echo(), length=2, vocabulary=7, mask_id=7)(torch.tensor([[0, 1]]))
    with pytest.raises(UserError, match="null_class needs num_classes"):
        NetworkTokens(Echo(), length=2, vocabulary=4, null_class=2)
    with pytest.raises(UserError, match="must be at least 1"):
        NetworkTokens(Echo(), length=0, vocabulary=4)


def test_a_networks_weights_are_told_and_read_back(tmp_path):
    network = tiny_network()
    torch.save(network.state_dict(), tmp_path / "tokens.pt")
    read = NetworkTokens(tiny_network(1), 3, 4, num_classes=2, null_class=2, checkpoint=str(tmp_path / "tokens.pt"))
    own = NetworkTokens(network, 3, 4, num_classes=2, null_class=2)
    state = torch.tensor([[4, 0, 4]])
    assert torch.equal(read(state), own(state))
    assert list(read.weights) == ["tokens.pt"]
    assert own.weights["network"].startswith("sha256:")
