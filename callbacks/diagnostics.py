"""Why a method fails: where the state leaves the noise shell, how the loss falls, what x̂ looks like on the way."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from torch import Tensor

from callbacks.base import EvaluationCallback, evaluated, samples_done
from callbacks.loggers import Sinks, told
from callbacks.loggers.bands import Bands, tell
from dsg.data.image_file import to_uint8
from dsg.data.media import Medium
from dsg.diffusion.noise import SampleKey
from dsg.errors import UserError
from dsg.module import BatchResult, SamplingModule
from dsg.process import Process, Record
from dsg.run_folder.trace_file import samples_kept


class Diagnostics(EvaluationCallback):
    """Tells TensorBoard, and every other logger, what happens along the trajectories.

    `trace/<measure>/{mean,p10,p90}` against the step, and as one chart with its band under Custom Scalars, of the first
    `traced_samples` samples (of several processes, the first one's) and as soon as they are there; `images/<id>`:
    truth | measurement | sample | error, those that there are; `clean_estimate/<id>`: x̂ along the way. Steps without
    guidance have a loss too, evaluated for the trace, which stays in the run folder as trace.json. A continued run
    shows the same ids, and traces again while the trace that it kept is of fewer samples; the one of more stays in the
    folder, and loggers are told the first.

    Args:
        traced_samples: samples that the band is taken over, at least 1; memory grows with it times the steps.
        images: how many of the first ids are shown as pictures.
        clean_estimates: at how many steps, evenly spread, x̂ of those ids is shown; TensorBoard keeps 10 of a picture
            unless it is started with `--samples_per_plugin images=N`.
    """

    metrics = ""

    def __init__(self, traced_samples: int = 256, images: int = 4, clean_estimates: int = 8) -> None:
        if min(traced_samples, clean_estimates) < 1 or images < 0:
            raise UserError("Diagnostics: traced_samples and clean_estimates must be at least 1, images at least 0")
        self.traced_samples = traced_samples
        self.images = images
        self.clean_estimates = clean_estimates
        self._pictures: list[tuple[str, Tensor, int]] = []  # of this batch, on the device until it ends

    def on_predict_start(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        self._sink = told(trainer)
        self._bands: Bands | None = None
        if self._sink is None:
            return
        # the ranks share the ids out, and this one shows what falls to it
        keys = evaluated(trainer).keys()
        self._shown = frozenset(list(dict(keys))[: self.images * trainer.world_size])
        self._folder = Path(trainer.default_root_dir)
        self._kept = samples_kept(self._folder) if samples_done(trainer) else 0
        if self._kept < self.traced_samples:
            self._bands = Bands(self.traced_samples)
        pl_module.observers.append(self)

    def on_sampling_step(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        if self._bands is not None:
            self._bands.add(process.watched(record))
        if record.step.position in _spread(record.step.total, self.clean_estimates):
            self._show_clean_estimates(record, process, keys)

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: SamplingModule, outputs: BatchResult, batch: Any, batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        if self._sink is None:
            return
        self._tell_pictures(self._sink)
        if self._bands is not None and self._bands.full:
            self._tell_trace(self._sink)
        for i, key in enumerate(outputs.keys):
            if key.image_id in self._shown and key.sample == 0:
                panels = _panels(pl_module.model.medium, outputs, i)
                if panels:
                    strip = torch.cat(panels, dim=-1)
                    self._sink.image(f"images/{key.image_id}", to_uint8(strip.nan_to_num()), 0)

    def on_predict_end(self, trainer: Trainer, pl_module: SamplingModule) -> None:
        if self in pl_module.observers:
            pl_module.observers.remove(self)
            assert self._sink is not None  # it subscribed because there is one
            self._tell_pictures(self._sink)
            self._tell_trace(self._sink)

    def on_exception(self, trainer: Trainer, pl_module: SamplingModule, exception: BaseException) -> None:
        # a full disk must not keep the callbacks after this one from finishing
        with contextlib.suppress(OSError, UserError):
            self.on_predict_end(trainer, pl_module)

    def _tell_trace(self, sink: Sinks) -> None:
        bands, self._bands = self._bands, None
        if bands is None or (trace := bands.trace()) is None or trace.samples <= self._kept:
            return
        if not self._kept:
            tell(trace, sink)
        trace.write(self._folder)  # last: with it nobody is told again

    def _tell_pictures(self, sink: Sinks) -> None:
        pictures, self._pictures = self._pictures, []
        for tag, pixels, position in pictures:
            sink.image(tag, pixels, position)

    def _show_clean_estimates(self, record: Record, process: Process, keys: list[SampleKey]) -> None:
        model = process.model
        for i, key in enumerate(keys):
            if key.image_id in self._shown and key.sample == 0:
                shown = model.medium.preview(model.decode(record.clean_estimate[i : i + 1]))
                if shown is not None:
                    # written when the batch ends: a step that waits for pictures would wait for the device
                    pixels = to_uint8(shown[0].nan_to_num())
                    self._pictures.append((f"clean_estimate/{key.image_id}", pixels, record.step.position))


def _panels(medium: Medium, outputs: BatchResult, index: int) -> list[Tensor]:
    """Truth, measurement, sample and error, (3,H,W) each, those that there are; none of samples without a look."""
    row = slice(index, index + 1)
    sample = medium.preview(outputs.samples[row])
    if sample is None:
        return []
    sample = sample.clamp(-1, 1)
    panels = [sample]
    truth = None if outputs.truth is None else medium.preview(outputs.truth[row])
    if truth is not None:
        panels = [truth, *panels, (sample - truth).abs() - 1]  # no error is black, a full swing is white
    if outputs.picture is not None:
        asked, side = _seen_beside(outputs.picture[row], sample)
        panels = [_as_high(panel, side) for panel in panels]
        panels.insert(0 if truth is None else 1, asked)
    height = max(panel.shape[-2] for panel in panels)
    return [_on_black(panel.expand(-1, 3, -1, -1), height)[0] for panel in panels]


def _seen_beside(picture: Tensor, sample: Tensor) -> tuple[Tensor, int]:
    """What was measured or asked, and the height of the pictures beside it: so large that each is seen.

    A picture of a single row is as high as the sample: its pixels are numbers, not places. Several pictures, one below
    the other, leave the sample as wide as one of them.
    """
    height, width = sample.shape[-2:]
    if picture.shape[-2] == 1:
        return torch.nn.functional.interpolate(picture, (height, width)), height
    side = max(height, min(picture.shape[-2], round(picture.shape[-1] * height / width)))
    return (picture if picture.shape[-2] >= side else _as_high(picture, side)), side


def _as_high(picture: Tensor, height: int) -> Tensor:
    """Its pixels repeated, the aspect ratio kept."""
    width = round(picture.shape[-1] * height / picture.shape[-2])
    return torch.nn.functional.interpolate(picture, (height, width))


def _on_black(picture: Tensor, height: int) -> Tensor:
    """With black below, up to the height."""
    return torch.nn.functional.pad(picture, (0, 0, 0, height - picture.shape[-2]), value=-1.0)


def _spread(steps: int, count: int) -> set[int]:
    """So many positions from the first step to the last; the last alone if it is one."""
    return {round(position) for position in np.linspace(steps - 1, 0, count)}
