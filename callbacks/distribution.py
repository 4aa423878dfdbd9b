"""FID, KID, precision and recall: how far all samples together are from a set of pictures."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback
from dsg.data.base import EvaluationData
from dsg.errors import UserError
from dsg.metrics.check_features import check_features
from dsg.metrics.distribution import Findings, distances, names
from dsg.metrics.feature_set import collect
from dsg.metrics.features import FeatureNetwork, extract, read_rgb
from dsg.metrics.inception import Inception
from dsg.metrics.least_size import why_too_small
from dsg.metrics.portraits import PortraitFeatures
from dsg.metrics.reference import check_reference, pictures_below, read_reference
from dsg.models.torchscript import check_sha256
from dsg.module import SamplingModule
from dsg.run_folder.folder import RunFolder

Known = Literal["inception", "portraits"]
KNOWN: dict[str, type[FeatureNetwork]] = {"inception": Inception, "portraits": PortraitFeatures}


class Distribution(EvaluationCallback):
    """Adds to metrics.json, when all samples are done, for every network of `features` that is named `<name>`:

        fd_<name>         Fréchet distance to the reference (`fid_clean` of Inception)
        kd_<name>         kernel distance, unbiased (`kid_clean`)
        precision_<name>  share of samples on the reference's manifold
        recall_<name>     share of the reference on the samples' manifold

    They are computed by the first rank from the 8-bit pictures in the run folder, in the order of their ids: neither
    batches nor ranks nor restarts change them. Samples that failed are left out. docs/metrics.md says what each means.

    Args:
        features: the networks: `inception`, `portraits`, or a class_path of a dsg.metrics.features.FeatureNetwork. None
            measures nothing.
        reference: a folder of pictures, found and opened as the data's are, and not cropped; a .npz with `mu` and
            `sigma` (then no kernel distance, precision and recall), or with `feats`; or
            clean-fid:NAME:SPLIT:RESOLUTION of what clean-fid keeps on this machine. Never downloaded. A folder is for
            every network, the others for those that bring no reference along, as `portraits` does.
        inception: the file inception-2015-12-05.pt or its folder, by default where clean-fid keeps it; never
            downloaded. It is a program that torch runs, so only with the SHA-256 of the published file, or with
        inception_sha256: that of a file of your own that you trust.
        subset: kernel distance, precision and recall take at most so many pictures a side, at least 2.
        neighbours: k of precision and recall, at least 1.
        batch_size: pictures a network evaluation.
        num_workers: processes that read and resize pictures.
    """

    def __init__(
        self,
        features: list[Known | FeatureNetwork] | None = None,
        reference: str | None = None,
        inception: str | None = None,
        inception_sha256: str | None = None,
        subset: int = 10_000,
        neighbours: int = 3,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        for name, value, least in (
            ("subset", subset, 2), ("neighbours", neighbours, 1), ("batch_size", batch_size, 1),
            ("num_workers", num_workers, 0),
        ):  # fmt: skip
            if value < least:
                raise UserError(f"distribution.{name}: must be at least {least}, got {value}")
        if inception_sha256 is not None:
            check_sha256(inception_sha256, "distribution.inception_sha256")
        self.features = features or []
        self.reference = reference
        self.inception = inception
        self.inception_sha256 = inception_sha256
        self.subset = subset
        self.neighbours = neighbours
        self.batch_size = batch_size
        self.num_workers = num_workers
        self._networks: list[FeatureNetwork] | None = None
        self._shape: tuple[int, ...] | None = None
        self._unavailable: dict[str, str] = {}

    @property
    def metrics(self) -> str:  # type: ignore[override]
        kinds = [KNOWN[network] if isinstance(network, str) else network for network in self.features]
        of_each = {name for kind in kinds for name in (kind.frechet, kind.kernel)}
        return rf"({'|'.join(sorted(of_each | {'precision', 'recall'}))})_\w+" if kinds else ""

    def meet(self, module: SamplingModule, data: EvaluationData) -> None:
        self._shape = module.model.image_shape

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        if not self.features:
            return
        self._shape = shape = module.model.image_shape
        if not module.model.medium.is_picture:
            raise UserError(f"distribution.features: compares pictures, and the samples have the shape {shape}")
        check_reference(self.reference)
        for network in self._load():
            check_features(network, shape, self.reference, self._first, "distribution")

    def unavailable(self) -> Mapping[str, str]:
        if self.features:
            self._load()  # also of a run that has been checked in another's place
        return self._unavailable

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self.features and trainer.is_global_zero:
            if other := self._other_size(*pl_module.model.image_shape[1:]):
                print(f"warning: {other}", file=sys.stderr)
            for reason in dict.fromkeys(self._unavailable.values()):
                print(f"unavailable: {reason}", file=sys.stderr)

    @cached_property
    def _first(self) -> Path | None:
        """The first picture of a reference that is a folder."""
        folder = self.reference
        return None if folder is None or not Path(folder).is_dir() else pictures_below(folder)[0]

    def _other_size(self, height: int, width: int) -> str | None:
        """What to know of a reference whose first picture is not of the samples' size, (H, W)."""
        if self._first is None or (found := read_rgb(self._first).shape[:2]) == (height, width):
            return None
        return (
            f"distribution.reference: its first picture is {found[1]}x{found[0]} and the samples are {width}x{height}: "
            "it is taken whole, where data is cropped; python -m dsg.metrics.save_reference --image_size "
            f"{height} {width} crops alike"
        )

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        if not self.features:
            return
        folder = RunFolder(trainer.default_root_dir)
        files = [
            folder.picture_path("samples", row["id"], row["sample"]) for row in folder.rows() if row["status"] == "ok"
        ]
        found = Findings()
        with suppress(UserError):  # a damaged picture costs the metrics, which say so
            found.warnings += [other for file in files[:1] if (other := self._other_size(*read_rgb(file).shape[:2]))]
        for network in self._load():
            self._measure(network, files, trainer, found)
        for warning in found.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        metrics["metrics"] |= found.metrics
        metrics["unavailable"] = {**metrics.get("unavailable", {}), **self._unavailable, **found.unavailable}
        if found.warnings:
            metrics["warnings"] = [*metrics.get("warnings", []), *found.warnings]

    def _measure(self, network: FeatureNetwork, files: list[Path], trainer: Trainer, found: Findings) -> None:
        features_of = partial(
            extract, network, device=trainer.strategy.root_device, batch_size=self.batch_size,
            num_workers=self.num_workers,
        )  # fmt: skip
        try:
            samples = collect(features_of(files), len(files), network.dimension, self.subset)
            reference, source = read_reference(self.reference, network, features_of, self.subset)
        except ValueError as reason:  # the pictures are there, and the other metrics: this is no reason to lose them
            found.unavailable |= _all_for(network, reason)
            return
        new = distances(network, samples, reference, source, self.neighbours)
        found.metrics |= new.metrics
        found.unavailable |= new.unavailable
        found.warnings += new.warnings
        if network.note is not None:
            found.warnings.append(f"{', '.join(new.metrics)}: {network.note}")

    def _load(self) -> list[FeatureNetwork]:
        """The networks that are there; what the others want is in `_unavailable`."""
        if self._networks is None:
            self._networks = []
            for features in self.features:
                try:
                    network = self._build(features)
                except UserError as reason:
                    self._unavailable |= _all_for(KNOWN[str(features)], reason)
                    continue
                why = None if self._shape is None else why_too_small(network.least_side, self._shape)
                if why is not None:
                    self._unavailable |= _all_for(network, why)
                else:
                    self._networks.append(network)
        return self._networks

    def _build(self, features: Known | FeatureNetwork) -> FeatureNetwork:
        if isinstance(features, FeatureNetwork):
            return features.eval().requires_grad_(False)
        if features == "inception":
            return Inception(self.inception, self.inception_sha256)
        return PortraitFeatures()


def _all_for(network: FeatureNetwork | type[FeatureNetwork], reason: Exception | str) -> dict[str, str]:
    """One reason for all metrics of a network."""
    return dict.fromkeys(names(network), f"{', '.join(names(network))}: {reason}")
