"""What a person finds in TensorBoard, read back from the event files."""

from __future__ import annotations

import csv
import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import metadata
from tensorboard.plugins.hparams.backend_context import Context
from torch.utils.tensorboard import SummaryWriter

from callbacks.loggers.bands import Bands
from callbacks.loggers.board import Board
from callbacks.loggers.hparams import columns
from callbacks.loggers.tensorboard import TensorBoardSink
from callbacks.network_time import MethodTime, NetworkTime
from dsg.metrics.summary import summarise
from dsg.run_folder.folder import RunFolder
from dsg.run_folder.trace_file import Trace
from tests.contract.toys import ToyWithDecoder


def events_of(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0}).Reload()


def hparams_of(events: EventAccumulator, tag: str) -> bytes:
    return events.SummaryMetadata(tag).plugin_data.content


def steps(events: EventAccumulator, tag: str) -> list[int]:
    return [event.step for event in events.Scalars(tag)]


def test_hparams_name_what_a_run_is(evaluate, tmp_path):
    assert evaluate() == 0
    events = events_of(tmp_path / "run")
    started = metadata.parse_session_start_info_plugin_data(hparams_of(events, metadata.SESSION_START_INFO_TAG))
    told = {name: value.string_value or value.number_value for name, value in started.hparams.items()}
    assert told == {
        "task": "RandomInpainting", "method": "DSG over DPS", "kernel": "DDIM", "steps": 5.0, "seed": "0",
        "strength": 0.2, "strength_of": "guidance_rate",
    }  # fmt: skip
    assert hparams_of(events, metadata.SESSION_END_INFO_TAG)
    # the same writer told it: no run of its own in the list of runs
    assert [file.parent for file in (tmp_path / "run").rglob("events.out.tfevents.*")] == [tmp_path / "run"]


def test_hparams_offers_every_value_that_runs_can_be_chosen_by_and_the_metrics_they_end_in(evaluate, tmp_path):
    assert evaluate(into="runs/a") == 0
    unguided = ("--model.guidance", "dsg.guidance.Unguided", "--model.seed", 1)
    assert evaluate(*unguided, into="runs/b") == 0
    multiplexer = EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(tmp_path / "runs")).Reload()
    hparams = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(tmp_path / "runs"))))
    read = hparams.hparams_metadata(RequestContext(), "")
    experiment = hparams.experiment_from_metadata(RequestContext(), "", True, read, [])
    offered = {info.name: set(info.domain_discrete) for info in experiment.hparam_infos}
    assert (offered["method"], offered["seed"]) == ({"DSG over DPS", "Unguided"}, {"0", "1"})
    differing = [info.name for info in experiment.hparam_infos if info.differs]
    assert differing == ["method", "seed", "strength", "strength_of"]
    # the first five are the columns that the table shows before anyone chooses
    first = [info.name.tag.removeprefix("metrics/") for info in experiment.metric_infos][:4]
    assert first == ["loss", "psnr", "residual", "ssim"]


def test_the_settings_can_be_read_there(evaluate, tmp_path):
    assert evaluate() == 0
    (text,) = events_of(tmp_path / "run").Tensors("config/text_summary")
    assert (tmp_path / "run" / "config.yaml").read_text() in text.tensor_proto.string_val[0].decode()


@pytest.mark.parametrize("samples_per_image", [1, 2])
def test_a_metric_is_a_curve_over_the_samples_that_ends_in_the_final_value(evaluate, tmp_path, samples_per_image):
    assert evaluate("--data.samples_per_image", samples_per_image) == 0
    events = events_of(tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["metrics"]
    for name in ("psnr", "ssim", "loss"):
        assert steps(events, f"metrics/{name}") == list(range(2, 6 * samples_per_image + 1, 2))
        assert events.Scalars(f"metrics/{name}")[-1].value == pytest.approx(metrics[name]["mean"], rel=1e-5)


def test_of_several_processes_the_curve_ends_at_the_number_of_samples_and_in_the_mean_of_all(tmp_path):
    folder, events = RunFolder(tmp_path), SummaryWriter(str(tmp_path))
    board = Board(TensorBoardSink(events), folder, samples=3, ranks=2)
    rows = [{"id": name, "sample": 0, "status": "ok", "psnr": value} for name, value in (("a", 10.0), ("b", 20.0))]
    board.add(rows)  # the first process had two of three
    other = {"id": "c", "sample": 0, "status": "ok", "psnr": 60.0}
    board.end({**summarise([*rows, other]), "interrupted": True})
    events.close()
    assert [(event.step, event.value) for event in events_of(tmp_path).Scalars("metrics/psnr")] == [(3, 15), (3, 30)]


def test_a_continued_run_goes_on_where_it_stopped_and_draws_nothing_twice(evaluate, tmp_path):
    few = ("--data.limit", 2, "--diagnostics.images", 3)
    assert evaluate(*few) == 0
    assert evaluate(*few[2:]) == 0
    events = events_of(tmp_path / "run")
    with (tmp_path / "run" / "per_image.csv").open(newline="") as handle:
        values = [float(row["psnr"]) for row in csv.DictReader(handle)]
    assert steps(events, "metrics/psnr") == [2, 4, 6]
    assert [event.value for event in events.Scalars("metrics/psnr")] == pytest.approx(
        [sum(values[:n]) / n for n in (2, 4, 6)], rel=1e-5
    )
    assert steps(events, "timing/seconds_per_image") == [2, 4, 6]
    assert steps(events, "trace/loss/mean") == [0, 1, 2, 3, 4]
    assert set(events.Tags()["images"]) == {f"{kind}/{name}" for kind in ("images", "clean_estimate") for name in "abc"}


def test_the_trace_is_told_as_soon_as_it_has_its_samples(evaluate, tmp_path, monkeypatch):
    taken = []
    monkeypatch.setattr(Bands, "trace", lambda self: taken.append(self._values.isfinite().sum(-1)[0].tolist()))
    assert evaluate("--diagnostics.traced_samples", 3) == 0
    assert taken == [[3, 3, 3, 3, 3]]  # of the second batch one, of the third none


def test_the_run_folder_keeps_the_trace_that_tensorboard_is_told(evaluate, tmp_path):
    assert evaluate() == 0
    events, kept = events_of(tmp_path / "run"), Trace.read(tmp_path / "run")
    assert kept is not None
    assert (kept.samples, kept.steps) == (6, 5)
    assert list(kept.measures) == ["loss", "gradient_norm", "shell_ratio", "cosine"]
    for name, curve in kept.measures.items():
        told = {event.step: event.value for event in events.Scalars(f"trace/{name}/mean")}
        assert {i: v for i, v in enumerate(curve.mean) if v is not None} == pytest.approx(told, rel=1e-5)
        known = [band for band in zip(curve.p10, curve.p50, curve.p90, strict=True) if None not in band]
        assert all(low <= middle <= high for low, middle, high in known)
    assert kept.measures["shell_ratio"].p50[-1] is None  # the last step has no noise


@pytest.mark.parametrize(("before", "samples"), [(2, 4), (4, 4)])
def test_a_continued_run_keeps_the_trace_of_more_samples_and_tells_it_once(evaluate, tmp_path, before, samples):
    for limit, kept in ((("--data.limit", before), before), ((), samples)):
        assert evaluate(*limit) == 0
        trace = Trace.read(tmp_path / "run")
        assert trace is not None
        assert trace.samples == kept
    assert steps(events_of(tmp_path / "run"), "trace/loss/mean") == [0, 1, 2, 3, 4]


def test_a_trace_of_all_samples_that_were_asked_for_is_not_taken_again(evaluate, tmp_path):
    few = ("--diagnostics.traced_samples", 2)
    assert evaluate(*few, "--data.limit", 2) == 0
    written = (tmp_path / "run" / "trace.json").stat().st_mtime_ns
    assert evaluate(*few) == 0
    assert (tmp_path / "run" / "trace.json").stat().st_mtime_ns == written


def test_a_damaged_trace_is_taken_again(evaluate, tmp_path):
    assert evaluate("--data.limit", 2) == 0
    (tmp_path / "run" / "trace.json").write_text("{")
    assert evaluate() == 0
    trace = Trace.read(tmp_path / "run")
    assert trace is not None
    assert trace.samples == 4


def test_a_batch_that_was_interrupted_is_in_no_trace():
    """Else a run that continues would tell the first steps again."""

    def record(position: int, *losses: float) -> Any:
        step = SimpleNamespace(position=position, total=2, is_last=position == 1)
        return SimpleNamespace(
            step=step, x_prev=torch.zeros(2), measures={"loss": "loss"}, before_the_end=(), loss=torch.tensor(losses)
        )

    bands = Bands(8)
    bands.add(record(0, 4.0, 6.0))
    assert bands.trace() is None
    bands.add(record(1, 1.0, 3.0))
    bands.add(record(0, 100.0, 100.0))
    kept = bands.trace()
    assert kept is not None
    assert (kept.samples, kept.measures["loss"].mean) == (2, [5.0, 2.0])


def test_a_continued_run_tells_a_tensorboard_of_ones_own_the_trace_once(evaluate, tmp_path):
    place = {"save_dir": str(tmp_path / "tb"), "name": "", "version": ""}
    logger = {"class_path": "lightning.pytorch.loggers.TensorBoardLogger", "init_args": place}
    for limit in ((), ("--data.limit", 2))[::-1]:
        assert evaluate("--trainer.logger", json.dumps(logger), *limit) == 0
    assert steps(events_of(tmp_path / "tb"), "trace/loss/mean") == [0, 1, 2, 3, 4]


def test_a_run_without_guidance_has_a_loss_to_compare_with_and_no_gradient(evaluate, tmp_path):
    assert evaluate("--model.guidance", "dsg.guidance.Unguided") == 0
    events = events_of(tmp_path / "run")
    measures = {tag.split("/")[1] for tag in events.Tags()["scalars"] if tag.startswith("trace/")}
    assert measures == {"loss", "shell_ratio"}
    assert steps(events, "trace/loss/mean") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("count", "expected"), [(1, [4]), (2, [0, 4]), (3, [0, 2, 4]), (9, [0, 1, 2, 3, 4])])
def test_clean_estimates_are_spread_from_the_first_step_to_the_last(evaluate, tmp_path, count, expected):
    assert evaluate("--diagnostics.clean_estimates", count, "--data.limit", 2) == 0
    assert [event.step for event in events_of(tmp_path / "run").Images("clean_estimate/a")] == expected


def test_each_metric_has_a_histogram_of_its_images(evaluate, tmp_path):
    assert evaluate() == 0
    events = events_of(tmp_path / "run")
    assert {"per_image/psnr", "per_image/ssim", "per_image/loss"} <= set(events.Tags()["histograms"])
    histogram = events.Histograms("per_image/psnr")[0].histogram_value
    assert histogram.num == 6
    # fine enough to tell images apart that differ by little
    width = (histogram.max - histogram.min) / 30
    assert [b - a for a, b in pairwise(histogram.bucket_limit)] == pytest.approx([width] * (len(histogram.bucket) - 1))


def test_time_outside_the_network_has_a_line_of_its_own(evaluate, tmp_path):
    assert evaluate() == 0
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    assert timing["network_seconds"] > 0
    assert timing["other_seconds"] > 0
    both = timing["network_seconds"] + timing["other_seconds"]
    assert timing["other_share"] == pytest.approx(timing["other_seconds"] / both)
    events = events_of(tmp_path / "run")
    for name in ("network", "other"):
        assert steps(events, f"timing/{name}_seconds_per_image") == [2, 4, 6]


def test_network_time_counts_forward_and_backward_passes_and_nothing_else(monkeypatch):
    clock = map(float, range(100))
    monkeypatch.setattr("dsg.module.device.time.perf_counter", lambda: next(clock))
    layer = torch.nn.Linear(2, 2)
    network = NetworkTime([layer], torch.device("cpu"))
    x = torch.ones(1, 2, requires_grad=True)
    with torch.no_grad():
        layer(x.detach())  # one tick from start to end
    (gradient,) = torch.autograd.grad((layer(x).square() + layer(x)).sum(), x)  # two calls, one way back
    assert network.take() == 4
    assert network.take() == 0
    network.close()
    layer(x)
    assert network.take() == 0
    assert torch.equal(gradient, torch.autograd.grad((layer(x).square() + layer(x)).sum(), x)[0])


def test_the_decoder_s_time_is_told_apart_from_the_network_s(monkeypatch):
    clock = map(float, range(100))
    monkeypatch.setattr("dsg.module.device.time.perf_counter", lambda: next(clock))
    model, cpu = ToyWithDecoder(), torch.device("cpu")
    network, decoder = NetworkTime([model], cpu), MethodTime(model, "decode", cpu)
    state = torch.ones(1, 4, 8, 8, requires_grad=True)
    decoded = model.decode(state)
    (gradient,) = torch.autograd.grad(decoded.sum(), state)
    assert decoder.take() == 2  # once there and once back
    assert network.take() == 0
    for watch in (network, decoder):
        watch.close()
    assert "decode" not in vars(model)
    assert torch.equal(gradient, torch.autograd.grad(model.decode(state).sum(), state)[0])
    assert decoder.take() == 0


def test_the_strength_of_a_run_is_the_first_number_that_its_method_declares(evaluate, tmp_path):
    """And not the first of the alphabet, which is `start` of DPS."""
    assert evaluate("--model.guidance", "dsg.guidance.DPS", "--model.guidance.step_size", 4) == 0
    found = columns(RunFolder(tmp_path / "run").settings())
    assert (found["method"], found["strength"], found["strength_of"]) == ("DPS", 4.0, "step_size")


@pytest.mark.parametrize(
    ("guidance", "expected"),
    [
        ({"class_path": "dsg.guidance.DPS", "init_args": {"step_size": 4.0}}, ("DPS", 4.0, "step_size")),
        ({"class_path": "dsg.guidance.Unguided"}, ("Unguided", 0.0, "none")),
    ],
)
def test_a_run_is_told_by_its_method_and_the_strength_of_it(guidance, expected):
    found = columns({"model": {"guidance": guidance, "steps": "ddim20", "seed": None}})
    assert (found["method"], found["strength"], found["strength_of"]) == expected
    assert (found["steps"], found["seed"]) == ("ddim20", "0")
