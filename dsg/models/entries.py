"""Finding one network's weights in what a training left in a file: among entries, prefixes and averages."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from dsg.errors import UserError

_WRAPPERS = re.compile(
    r"((module|_orig_mod|_forward_module|model|diffusion_model|score_model|net|network|unet|denoiser|denoise_fn|params"
    r"|(\w+_)?ema(_\w+)?)\.)*"
)
_AVERAGE = re.compile(r"(?<!non)(?<!no)(?:^|[._])(?:ema|averaged|swa|shadow)(?![a-z])", re.IGNORECASE)
_DEPTH = 3
_DOTLESS = "model_ema."  # of latent-diffusion's trainer, which takes the dots out of the names below it
_LIST = "shadow_params"  # of averages that are kept in the order of the parameters, without names

log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """Weights under a network's own names, and the place in the file where they were: entries, then prefix."""

    place: str
    tensors: dict[str, Tensor]

    @property
    def label(self) -> str:
        """[place], or nothing where it is the whole file."""
        return f" [{self.place.removesuffix('.')}]" if self.place else ""

    def fits(self, names: Collection[str]) -> int:
        """How many of a network's names it has."""
        return sum(name in self.tensors for name in names)


def find_entry(
    content: Mapping[str, Any],
    names: Collection[str],
    path: object,
    rename: Callable[[str], str] = str,
    parameters: Sequence[str] = (),
) -> Entry:
    """The weights of the network that has `names`, of all that the file holds.

    Entries (`state_dict`, `model`, ...) are looked into, prefixes of wrappers (`module.`, `_orig_mod.`, ...) taken off.
    Of weights and their running average the average is taken, and which it was is logged. Where none fits, the entry
    that fits best comes back, to be compared name by name.

    Args:
        content: what was read from the file.
        names: every name of the network.
        path: the file, for messages.
        rename: applied to each name in the file.
        parameters: those of `names` that a training changes, in the network's order: an average without names is of
            them, and buffers are those beside the weights.

    Raises:
        UserError: if the file has no tensors with names, or several that could be meant.
    """
    names = set(names)
    found = [entry for group in groups(content) for entry in _unwrapped(group, names, rename)]
    if not found:
        entries = ", ".join(map(str, list(content)[:5]))
        raise UserError(
            f"checkpoint {path}: no weights in the entries {entries}; save the network's state_dict() alone"
        )
    complete = [entry for entry in found if entry.fits(names) == len(names)]
    if not complete:
        return max(found, key=lambda entry: entry.fits(names))
    complete += _listed_averages(content, complete[0], parameters)
    averages = [entry for entry in complete if _AVERAGE.search(entry.place)]
    candidates = averages or complete
    places = [entry.place or "the file itself" for entry in candidates]
    if len(candidates) > 1:
        raise UserError(
            f"checkpoint {path}: has such weights {len(candidates)} times ({', '.join(places)}); save alone the "
            "ones that you mean"
        )
    if len(complete) > 1:
        others = ", ".join(entry.place or "the file itself" for entry in complete if entry is not candidates[0])
        log.warning("checkpoint %s: took the averaged weights %s, and not %s", path, places[0], others)
    elif not averages and (left := [entry.place for entry in found if _AVERAGE.search(entry.place)]):
        log.warning("checkpoint %s: took %s; the average %s does not fit the network", path, places[0], left[0])
    return candidates[0]


def groups(content: Mapping[Any, Any], place: str = "", depth: int = 0) -> Iterator[Entry]:
    """Every mapping in the file that has tensors by name."""
    tensors = {name: value for name, value in content.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield Entry(place, tensors)
    for name, value in content.items():
        if depth < _DEPTH and isinstance(name, str) and isinstance(value, Mapping):
            yield from groups(value, f"{place}{name}.", depth + 1)


def _unwrapped(group: Entry, names: set[str], rename: Callable[[str], str]) -> Iterator[Entry]:
    """The group under each prefix below which it has some of the names, at least as it is."""
    tensors = {rename(name): tensor for name, tensor in group.tensors.items()}
    prefixes = Counter(
        name[: -len(tail)] for name in tensors for tail in _tails(name) if tail in names and name != tail
    )
    for prefix in ["", *(p for p in prefixes if _WRAPPERS.fullmatch(p))]:
        yield Entry(
            group.place + prefix, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
        )
    if any(name.startswith(_DOTLESS) for name in tensors):
        dotted = {name.replace(".", ""): name for name in names}
        bare = {name: name.removeprefix(_DOTLESS).removeprefix("diffusion_model") for name in tensors}
        known = {
            dotted[bare[name]]: t for name, t in tensors.items() if name.startswith(_DOTLESS) and bare[name] in dotted
        }
        if known and len(dotted) == len(names):
            yield Entry(group.place + _DOTLESS, known)


def _tails(name: str) -> Iterator[str]:
    """a.b.c, b.c, c."""
    while name:
        yield name
        name = name.partition(".")[2]


def _listed_averages(
    content: Mapping[Any, Any], raw: Entry, parameters: Sequence[str], place: str = ""
) -> Iterator[Entry]:
    """Averages in a list, in the order of all that is beside them or of the network's parameters, where every shape
    agrees.
    """
    for name, value in content.items():
        if isinstance(value, Mapping) and isinstance(name, str):
            yield from _listed_averages(value, raw, parameters, f"{place}{name}.")
        elif name == _LIST and isinstance(value, list):
            for order in (list(raw.tensors), parameters):
                if len(order) == len(value) and all(
                    raw.tensors[n].shape == v.shape for n, v in zip(order, value, strict=True)
                ):
                    yield Entry(f"{place}{name}", raw.tensors | dict(zip(order, value, strict=True)))
                    break
            else:
                log.warning("the average %s%s has no names and does not fit; it was left", place, name)
