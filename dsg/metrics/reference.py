"""What samples are compared with: a folder of pictures, or statistics that were made of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from torch import Tensor

from dsg.data.images_below import images_below
from dsg.errors import UserError
from dsg.metrics.feature_set import FeatureSet, collect, evenly, read_statistics
from dsg.metrics.features import FeatureNetwork

CLEAN_FID = "clean-fid:"


def check_reference(source: str | None) -> None:
    """Raise UserError unless `source` is something to compare with, as far as that is seen without reading it all."""
    if source is None:
        return
    if source.startswith(CLEAN_FID):
        _clean_fid_files(source)
    elif Path(source).is_dir():
        pictures_below(source)
    elif Path(source).suffix == ".npz":
        read_statistics(Path(source))
    else:
        raise UserError(
            f"distribution.reference: {source} is no folder and no .npz; give a folder of pictures, a .npz with mu and "
            f"sigma, or {CLEAN_FID}NAME:SPLIT:RESOLUTION"
        )


def read_reference(
    source: str | None,
    network: FeatureNetwork,
    features_of: Callable[[Sequence[Path]], Iterator[Tensor]],
    subset: int,
) -> tuple[FeatureSet, str]:
    """The reference in a network's features, and where it is from.

    A folder is for every network. Statistics are for networks that bring none along.

    Raises:
        UserError: if there is none, or it does not fit.
    """
    if source is not None and Path(source).is_dir():
        files = pictures_below(source)
        try:
            return collect(features_of(files), len(files), network.dimension, subset), source
        except ValueError as error:
            raise UserError(f"distribution.reference: {source}: {error}") from error
    if (own := network.statistics()) is not None:
        return FeatureSet(own), f"shipped with {network.name}"
    if source is None:
        raise UserError(f"{network.name} brings no reference along; set distribution.reference to a folder of pictures")
    if not source.startswith(CLEAN_FID):
        return _at_most(subset, read_statistics(Path(source), network.dimension)), source
    statistics, features = _clean_fid_files(source)
    if not statistics.is_file():
        raise UserError(f"distribution.reference: wants {statistics.name} in {statistics.parent}, clean-fid's folder")
    known = read_statistics(statistics, network.dimension)
    if features.is_file():
        known = FeatureSet(known.statistics, read_statistics(features, network.dimension).features)
    return _at_most(subset, known), source


def _at_most(subset: int, known: FeatureSet) -> FeatureSet:
    features = known.features
    return known if features is None else FeatureSet(known.statistics, features[evenly(len(features), subset)])


def pictures_below(folder: str | Path) -> list[Path]:
    """Every image below a folder, found as the data's are; a UserError if there is none."""
    return list(images_below(Path(folder), option="distribution.reference").values())


def _clean_fid_files(source: str) -> tuple[Path, Path]:
    """Where clean-fid keeps the statistics and the features of a reference that it has a name for."""
    parts = source.removeprefix(CLEAN_FID).split(":")
    package = find_spec("cleanfid")
    if len(parts) != 3 or package is None or package.origin is None:
        raise UserError(
            f"distribution.reference: clean-fid's are {CLEAN_FID}NAME:SPLIT:RESOLUTION, as "
            f"{CLEAN_FID}ffhq:trainval70k:256, got {source}"
        )
    name, split, resolution = parts
    stem = f"{name}_clean_{split}_{'na' if split == 'custom' else resolution}".lower()
    folder = Path(package.origin).parent / "stats"
    return folder / f"{stem}.npz", folder / f"{stem}_kid.npz"
