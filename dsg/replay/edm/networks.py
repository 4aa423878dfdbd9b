"""A recorded network: its folder has `config.json`, `weights.safetensors` and `forward.safetensors`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from dsg.models.edm import EDM
from dsg.models.edm.magnitude_preconditioning import Precond
from dsg.models.edm.preconditioning import Preconditioned
from dsg.replay.edm.deviation import Deviation, largest
from dsg.replay.record import Tensors, read_record

FORWARD = "forward.safetensors"


def network_outputs(folder: Path) -> Iterator[Deviation]:
    """Every recorded output: of the preconditioning, of F, of D with and without labels, its gradient, the uncertainty.

    D is compared in units of max(1, |c_out|), as its tolerance says.
    """
    record, metadata = read_record(folder / FORWARD)
    tolerances = json.loads(metadata["tolerance"])
    network = EDM(str(folder)).network
    assert isinstance(network, Preconditioned)
    unit = _column(record["c_out"].abs().clamp(min=1.0))
    for name, ours in _ours(network, record).items():
        kind = "D" if name.startswith("D") else name
        yield Deviation(name, largest(ours, record[name], unit if kind == "D" else 1.0), tolerances[kind])


def _ours(network: Preconditioned, record: Tensors) -> Tensors:
    x, sigma, labels = record["x"], record["sigma"], record.get("labels")
    c = network.coefficients(sigma)
    ours = {"F": network.raw(_column(c.input) * x, c.noise, labels)}
    x = x.requires_grad_()
    with torch.enable_grad():
        ours["D"] = network(x, sigma, labels)
        (ours["vjp"],) = torch.autograd.grad((record["v"] * ours["D"]).sum(), x)
    ours["D"], x = ours["D"].detach(), x.detach()
    if "D_nolabel" in record:
        ours["D_nolabel"] = network(x, sigma)
    if "D_augment" in record:
        ours["D_augment"] = network(x, sigma, labels, record["augment_labels"])
    if "logvar" in record:
        assert isinstance(network, Precond)
        ours["logvar"] = network.logvar(sigma)
    return ours


def _column(values: Tensor) -> Tensor:
    return values[:, None, None, None]
