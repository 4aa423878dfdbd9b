"""Inside a step nobody waits for the device: no number is read off it, and none is put on it from the host."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from tests.contract.methods import METHODS
from tests.contract.run import begin, keys, references
from tests.contract.watching import OnTheDevice, Waited, nobody_waits

STEPS = 4
ADAM = "torch's Adam counts its steps in a number of the CPU's own"
STOPS = "a sample stops by itself, and looking whether all have is less than passes through a decoder for nothing"
RESPONSE = "what DDNM reads is a number that it made on the CPU, of the kernel and not of the state"
WAITING = {"ugd, by adam": ADAM, "resample": STOPS, "flair": STOPS} | dict.fromkeys(
    ["ddnm", "ddnm, corrected epsilon", "ddnm, published noise"], RESPONSE
)
"""Methods that wait all the same, and why."""


@pytest.mark.contract
def test_after_the_first_step_nobody_waits_for_the_device(part):
    """In the first one what stays may be put there."""
    sampler, process = begin(part, references(2), OnTheDevice(keys("ab")))
    sampler = replace(sampler, steps=STEPS)
    process.steps = sampler.levels
    trajectory = sampler.run(process)
    next(trajectory)
    method = next((name for name, method in METHODS.items() if method is part.method), "")
    with pytest.raises(Waited) if method in WAITING else nullcontext(), nobody_waits():
        list(trajectory)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).any()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: torch.where(x > 0),
        lambda x: x.masked_select(x > 0),
        lambda x: x * torch.tensor(2.0),
        lambda x: torch.linalg.inv(x),
    ],
)
def test_what_waits_for_a_device_is_seen_on_a_cpu(wait):
    with pytest.raises(Waited), nobody_waits():
        wait(torch.eye(3))


def test_what_does_not_wait_is_let_through():
    x = torch.eye(3, requires_grad=True)
    with nobody_waits():
        y = torch.where(x > 0, 2.0 * x.clamp(0, 1), 0.5)[1:] @ x.new_full((3, 2), 0.3)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
    assert gradient.isfinite().all()
