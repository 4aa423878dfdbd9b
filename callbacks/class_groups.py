"""Metrics of groups of classes: what rare classes lose shows in no mean over all."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import Trainer

from callbacks.base import EvaluationCallback
from callbacks.judge import classes_of, task_of_classes
from dsg.data.base import EvaluationData
from dsg.data.examples import LABEL
from dsg.data.images_below import images_below
from dsg.errors import UserError
from dsg.metrics.check_features import check_features
from dsg.metrics.distribution import Findings, distances
from dsg.metrics.feature_set import collect
from dsg.metrics.features import FeatureNetwork, extract
from dsg.metrics.groups import ClassGroups as Groups
from dsg.metrics.portraits import PortraitFeatures
from dsg.module import BatchResult, SamplingModule
from dsg.run_folder.folder import RunFolder

OPTION = "callbacks.class_groups"
GROUP = "group"
LEAST = 2  # pictures: fewer have no covariance


class ClassGroups(EvaluationCallback):
    """Adds to every row the `group` of its class, and of each group

        <column>_<group>                 for each of `columns`, in the rows of the group alone, so that the mean and its
                                         interval in metrics.json, and paired differences, are the group's
        fd_<name>_<group>, kd_, precision_, recall_   against the reference's pictures of the same classes

    The class is the one that the task asks for, or else the label of the image. Samples that failed are left out.

    Args:
        groups: name: its classes; as {head: [0, 1, 2], medium: [3, 4], tail: [5, 6, 7]}.
        columns: of the rows, as earlier callbacks write them: list this one behind `classification`.
        features: networks of the distances: `portraits`, or a class_path of a dsg.metrics.features.FeatureNetwork.
        reference: a folder with a folder of pictures for each class, named by its number; not downloaded, not cropped.
            Needed with `features`.
        neighbours: k of precision and recall, at least 1.
        subset: kernel distance, precision and recall take at most so many pictures a side, at least 2.
        batch_size: pictures a network evaluation.

    Raises:
        UserError: before the first sample, for groups that are empty or share a class, classes that there are not, data
            without labels, and groups with fewer than two pictures in the reference or among the images.
    """

    def __init__(
        self,
        groups: dict[str, list[int]],
        columns: Sequence[str] = ("judge_correct",),
        features: list[Literal["portraits"] | FeatureNetwork] | None = None,
        reference: str | None = None,
        neighbours: int = 3,
        subset: int = 10_000,
        batch_size: int = 32,
    ) -> None:
        for name, value, least in (("neighbours", neighbours, 1), ("subset", subset, 2), ("batch_size", batch_size, 1)):
            if value < least:
                raise UserError(f"{OPTION}.{name}: must be at least {least}, got {value}")
        if features and reference is None:
            raise UserError(f"{OPTION}.reference: features need pictures; give a folder of class folders")
        self.groups = Groups(groups, f"{OPTION}.groups")
        self.metrics = rf"\w+_({'|'.join(groups)})"
        self.columns = tuple(columns)
        self.features: list[FeatureNetwork] = [
            f.eval().requires_grad_(False) if isinstance(f, FeatureNetwork) else PortraitFeatures()
            for f in features or []
        ]
        self.reference = reference
        self.neighbours = neighbours
        self.subset = subset
        self.batch_size = batch_size

    def check(self, module: SamplingModule, data: EvaluationData) -> None:
        task = module.sampler.task
        asked = task_of_classes(task)
        if asked is not None:
            classes = asked.num_classes(module.model.image_shape)
        elif (largest := data.largest_label()) is None:
            raise UserError(
                f"{OPTION}: {type(task).__name__} asks for no class and the data has no labels; set data.labels"
            )
        else:
            classes = module.sampler.num_classes or largest + 1
        if self.groups.largest >= classes:
            raise UserError(f"{OPTION}.groups: there is no class {self.groups.largest}, of {classes} classes")
        labels = data.known(LABEL) if asked is None or asked.target == "label" else {}
        if labels:
            counts = Counter(self.groups.of(int(label)) for label in labels.values())  # type: ignore[arg-type]
            _enough(self.groups, counts, "the images that are evaluated", "take more images")
        if self.features:
            counts = Counter[str | None]({group: len(files) for group, files in self._reference.items()})
            _enough(self.groups, counts, str(self.reference), "add pictures to its class folders")
            for network in self.features:
                check_features(network, module.model.image_shape, self.reference, self._reference_first, OPTION)

    @cached_property
    def _reference(self) -> dict[str, list[Path]]:
        """The reference's pictures by group."""
        found: dict[str, list[Path]] = {}
        for image_id, file in images_below(Path(str(self.reference)), option=f"{OPTION}.reference").items():
            folder = image_id.split("/")[0]
            if "/" not in image_id or not re.fullmatch("[0-9]{1,18}", folder):
                raise UserError(f"{OPTION}.reference: {file} is in no folder with its class as name; move it")
            if (group := self.groups.of(int(folder))) is not None:
                found.setdefault(group, []).append(file)
        return found

    @property
    def _reference_first(self) -> Path:
        return next(iter(self._reference.values()))[0]

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if not outputs.keys:
            return
        for row, label in zip(outputs.rows, classes_of(pl_module, outputs).tolist(), strict=True):
            group = self.groups.of(label)
            if group is None:
                continue
            row[GROUP] = group
            row.update({f"{name}_{group}": row[name] for name in self.columns if row.get(name) is not None})

    def complete(self, trainer: Trainer, metrics: dict[str, Any]) -> None:
        folder, files = RunFolder(trainer.default_root_dir), {}
        for row in folder.rows():
            if row["status"] == "ok" and GROUP in row:
                files.setdefault(row[GROUP], []).append(folder.picture_path("samples", row["id"], row["sample"]))
        found = Findings()
        for name in self.columns:
            for group in self.groups.classes:
                if f"{name}_{group}" not in metrics["metrics"]:
                    told = f"no sample of {group} has {name}; list this callback behind the one that measures it"
                    found.unavailable[f"{name}_{group}"] = f"{name}_{group}: {told}"
        for network in self.features:
            features_of = partial(
                extract, network, device=trainer.strategy.root_device, batch_size=self.batch_size
            )  # fmt: skip
            for group in self.groups.classes:
                self._measure(network, group, files.get(group, []), features_of, found)
        for warning in found.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        metrics["metrics"] |= found.metrics
        if found.unavailable:
            metrics["unavailable"] = {**metrics.get("unavailable", {}), **found.unavailable}
        if found.warnings:
            metrics["warnings"] = [*metrics.get("warnings", []), *found.warnings]

    def _measure(
        self, network: FeatureNetwork, group: str, files: Sequence[Path], features_of: Any, found: Findings
    ) -> None:
        if len(files) < LEAST:
            name = f"{network.frechet}_{network.name}_{group}"
            found.unavailable[name] = f"{name}: a covariance needs two pictures, and {group} has {len(files)} samples"
            return
        samples, reference = (
            collect(features_of(side), len(side), network.dimension, self.subset)
            for side in (files, self._reference[group])
        )
        new = distances(network, samples, reference, f"{self.reference}, {group}", self.neighbours)
        found.metrics |= {f"{name}_{group}": value for name, value in new.metrics.items()}
        found.unavailable |= {f"{name}_{group}": f"{group}: {why}" for name, why in new.unavailable.items()}
        found.warnings += [f"{group}: {warning}" for warning in new.warnings]


def _enough(groups: Groups, counts: Mapping[str | None, int], where: str, mend: str) -> None:
    """Raise UserError where a group has fewer than two pictures."""
    for group, classes in groups.classes.items():
        if counts.get(group, 0) < LEAST:
            raise UserError(
                f"{OPTION}.groups: {group} (classes {', '.join(map(str, classes))}) has {counts.get(group, 0)} "
                f"pictures in {where} and needs {LEAST}; {mend}, or leave the group out"
            )
