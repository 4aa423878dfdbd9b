"""Which code, libraries, weights and machine made the rows, a line a start."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from callbacks.base import EvaluationCallback
from dsg.command.code import own_code, project_code
from dsg.command.machine import machine, system, versions
from dsg.models.weights import weights_of
from dsg.module import SamplingModule
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.provenance import Start, differences, facts, short


class Provenance(EvaluationCallback):
    """Before its first sample each start appends itself to the run folder's provenance.jsonl, and tells where it is
    not like those that made the rows there. That is said and not refused: a library may have to be updated in between.

    On the first process alone; the number of the start, which rows carry, is the data module's.
    """

    metrics = ""

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if trainer.is_global_zero:
            number = trainer.datamodule.start  # type: ignore[attr-defined]
            record(RunFolder(trainer.default_root_dir), number, trainer, pl_module)


def record(folder: RunFolder, number: int, trainer: Trainer, module: LightningModule) -> None:
    """Append the start to `folder`, and print one line where it differs from those that made its rows."""
    start = _this_start(number, folder.settings() or {}, trainer, module)
    for line in _not_alike(folder, start):
        print(f"provenance: {line}; metrics.json says so, and with --fresh all are made alike", file=sys.stderr)
    folder.provenance.append(start)


def _not_alike(folder: RunFolder, start: Start) -> Iterator[str]:
    rows, now = folder.rows(), dict(facts(start))
    if changed := differences([*folder.provenance.made(rows), start]):
        phrases = [
            f"{key} was {', '.join(short(value) for value in values if value != now.get(key))}"
            + (f", now {short(now[key])}" if key in now else "")
            for key, values in changed.items()
        ]
        yield f"samples in {folder.path} are kept that were made otherwise: {'; '.join(phrases)}"
    if unrecorded := folder.provenance.unrecorded(rows):
        yield f"{unrecorded} samples in {folder.path} are kept of which nobody recorded what made them"


def _this_start(number: int, settings: dict[str, Any], trainer: Trainer, module: LightningModule) -> Start:
    code: dict[str, Any] = dict(project_code())
    if own := own_code({name: part for name, part in settings.items() if name != "trainer"}):
        code["own"] = own
    return {
        "start": number,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": code,
        "versions": versions(),
        "system": system(),
        "device": machine(trainer.strategy.root_device, trainer.num_devices * trainer.num_nodes),
        "precision": str(trainer.precision),
        "processes": trainer.world_size,
        **_batch_size(trainer),
        "weights": weights_of(module) | _weights_of_judges(trainer),
    }


def _batch_size(trainer: Trainer) -> dict[str, Any]:
    data = getattr(trainer, "datamodule", None)
    found = getattr(data, "found", None)
    return {"batch_size": getattr(data, "batch_size", None)} | ({"batch_size_found": found} if found else {})


def _weights_of_judges(trainer: Trainer) -> dict[str, str]:
    """Those of the networks that callbacks measure with: `classification.judge/classifier_judge.safetensors`."""
    return {
        f"{name}/{file}": digest
        for callback in trainer.callbacks  # type: ignore[attr-defined]
        if isinstance(callback, EvaluationCallback)
        for name, network in callback.networks().items()
        for file, digest in weights_of(network).items()
    }
