"""Building a network of the arguments that a published file keeps, with the promise that it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dsg.errors import UserError, first_line
from dsg.models.checkpoint import check_names
from dsg.models.edm.magnitude_preconditioning import Precond
from dsg.models.edm.preconditioning import Preconditioned
from dsg.models.edm.preconditionings import EDMPrecond, VEPrecond, VPPrecond, iDDPMPrecond

NETWORKS: dict[str, type[Preconditioned]] = {
    network.__name__: network for network in (EDMPrecond, VPPrecond, VEPrecond, iDDPMPrecond, Precond)
}
_MOST = 1 << 16
"""Beyond every number in an architecture: a file that asks for more is damaged, and would take hours to build."""


def build(class_name: str, arguments: Sequence[Any], options: Mapping[str, Any], place: str) -> Preconditioned:
    """The network without weights, which was tried on a state: on no device, so that it costs next to nothing.

    Args:
        class_name: of the preconditioning.
        arguments: of its constructor.
        options: those by name.
        place: where all this is from, the beginning of the error.

    Raises:
        UserError: if there is no such class, or it cannot be built, or it cannot run.
    """
    if class_name not in NETWORKS:
        raise UserError(
            f"{place}: a {class_name}, which is no network that is known here; known are {', '.join(NETWORKS)}"
        )
    try:
        _check_sizes([arguments, options])
        with torch.device("meta"):  # no weight exists until the file gives it
            network = NETWORKS[class_name](*arguments, **options).eval()
            shape = (1, network.img_channels, network.img_resolution, network.img_resolution)
            with torch.no_grad():
                network(torch.zeros(shape), torch.ones(1))
    except UserError as error:
        raise UserError(f"{place}: {error}") from error
    except Exception as error:  # the arguments are foreign input, and Python raises what it raises
        reason = first_line(error)
        raise UserError(f"{place}: {class_name} cannot be built of its arguments ({reason}); correct them") from error
    return network


def load(network: Preconditioned, tensors: Mapping[str, Tensor], place: str) -> None:
    """Give the network its weights, as float32: every name has to be there, and nothing else beside them.

    Raises:
        UserError: as `check_names`.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    check_names(expected, tensors, place)
    network.load_state_dict({name: tensors[name].to(torch.float32, copy=True) for name in expected}, assign=True)


def _check_sizes(value: Any) -> None:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        if len(value) > _MOST:
            raise ValueError(f"a list of {len(value)} numbers")
        for part in value:
            _check_sizes(part)
    elif isinstance(value, int) and abs(value) > _MOST:
        raise ValueError(f"the number {value}")
