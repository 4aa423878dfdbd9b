"""The batch that fits: found for `auto`, kept by a run that continues, and named where another one does not fit."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import Precision

import tasks
from dsg.command import sharing
from dsg.data.batches import batches
from dsg.data.examples import Example
from dsg.data.folder import ImageFolder
from dsg.data.mixture_draws import MixtureDraws
from dsg.diffusion.kernels import DDIM
from dsg.errors import UserError
from dsg.guidance import DPS, Unguided
from dsg.models.mixture import TwentyFiveGaussians
from dsg.module import EvaluationDataModule, GuidedDiffusion, batch_size, device
from dsg.module.live_bytes import LiveBytes
from dsg.module.trial import Trial
from dsg.sampling import Sampler
from tests.command.test_command_line import pictures
from tests.toy import Toy

GPU = torch.device("cuda")
QUIET = {"enable_progress_bar": False, "enable_checkpointing": False, "enable_model_summary": False}


class Memory:
    """A device of so many bytes, on which a step takes `each` for an image and `beside` for anything else."""

    device = GPU

    def __init__(self, capacity: int, each: int, beside: int = 0) -> None:
        self.capacity, self.each, self.beside = capacity, each, beside
        self.tried: list[int] = []

    def bytes(self, size: int) -> int:
        self.tried.append(size)
        if (used := self.beside + self.each * size) > self.capacity:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return used


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    monkeypatch.setattr(batch_size, "give_back_memory", lambda device: None)
    return monkeypatch


def free(patch, memory: int) -> None:
    patch.setattr(batch_size, "free_memory", lambda device: memory)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(each=st.integers(1, 1000), beside=st.integers(0, 2000), room=st.integers(1, 10**5), most=st.integers(1, 300))
def test_auto_finds_the_largest_power_of_two_that_fits_or_all_there_are(stand_in, each, beside, room, most):
    memory = Memory(room, each, beside)
    stand_in.setattr(batch_size, "SHARE", 1.0)
    free(stand_in, room)
    sizes = [size for size in [2**k for k in range(9)] if size < min(most, 256)] + [min(most, 256)]
    fitting = [size for size in sizes if beside + each * size <= room]
    if not fitting:
        with pytest.raises(UserError, match="of one image takes more than"):
            batch_size.largest(memory, most)
    else:
        assert batch_size.largest(memory, most).size == fitting[-1]
        assert len(memory.tried) == len(set(memory.tried))


def test_a_size_that_would_not_fit_by_what_the_last_doubling_added_is_not_tried(stand_in):
    memory = Memory(1000, 100)
    stand_in.setattr(batch_size, "SHARE", 0.9)
    free(stand_in, 1000)
    assert batch_size.largest(memory, 64) == batch_size.Fit(8, 100.0)
    assert memory.tried == [1, 2, 4, 8]


def test_a_number_that_does_not_fit_is_refused_with_the_largest_that_does():
    with pytest.raises(UserError, match=r"batch_size 48 does not fit on cuda, .* is 16; set data\.batch_size to 16"):
        batch_size.given(Memory(3100, 100), 48)
    assert batch_size.given(Memory(3100, 100), 31).size == 31
    with pytest.raises(UserError, match="not one image fits on cuda"):
        batch_size.given(Memory(99, 100), 48)


def test_another_error_of_a_step_is_not_taken_for_want_of_memory():
    memory = Memory(1, 1)
    memory.bytes = lambda size: torch.zeros(2) @ torch.zeros(3)  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="size"):
        batch_size.given(memory, 2)


def trial(guidance=None) -> Trial:
    sampler = Sampler(Toy(16), tasks.Denoising(), guidance or DPS(1.0), steps=3)
    return Trial(sampler, Example(torch.zeros(3, 16, 16)), torch.device("cpu"))


def test_on_a_cpu_what_each_image_takes_is_counted_and_half_of_the_free_memory_is_for_it(stand_in):
    each = trial().bytes(1)
    assert trial().bytes(8) == pytest.approx(8 * each, rel=0.05)
    free(stand_in, 9 * each)
    assert batch_size.largest(trial(), 100).size == 4
    assert batch_size.largest(trial(), 100, sharing=2).size == 2
    assert batch_size.largest(trial(), 3).size == 3
    free(stand_in, 10**15)
    assert batch_size.largest(trial(), 100).size == batch_size.MOST_ON_CPU
    free(stand_in, each)
    with pytest.raises(UserError, match="a guided step of one image takes more than"):
        batch_size.largest(trial(), 100)


def test_what_the_backward_pass_keeps_is_counted():
    assert trial(DPS(1.0)).bytes(1) > 1.3 * trial(Unguided()).bytes(1)


def test_live_bytes_are_those_of_the_moment_when_there_were_most():
    x = torch.zeros(1000, dtype=torch.float64)
    live = LiveBytes()
    with live.counted():
        for _ in range(5):
            y = x + 1
            z = (y * 2).view(10, 100)[3:]
            del y
    assert live.peak == 3 * 8000  # y, z and the z before
    del z


def test_a_device_that_tells_nothing_of_its_memory_wants_a_number(stand_in):
    stand_in.setattr(batch_size, "free_memory", lambda device: None)
    with pytest.raises(UserError, match=r"data\.batch_size: cuda does not tell"):
        batch_size.largest(Memory(1, 1), 4)


def test_free_memory_is_no_more_than_a_container_may_take(monkeypatch, tmp_path):
    assert device.free_memory(torch.device("cpu")) > 0
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("2000\n")
    assert device._left_of_group(tmp_path) == 3000
    (tmp_path / "memory.max").write_text("max\n")
    assert device._left_of_group(tmp_path) is None
    monkeypatch.setattr(device, "_left_of_group", lambda: 7)
    assert device.free_memory(torch.device("cpu")) == 7


def test_batches_without_a_run_take_a_number(image_folder):
    data = ImageFolder(str(image_folder), 16, batch_size="auto")
    with pytest.raises(UserError, match="take a number"):
        batches(data)
    with pytest.raises(UserError, match="a number or auto"):
        ImageFolder(str(image_folder), 16, batch_size="all")


def recorded(run) -> list[int]:
    return [json.loads(line)["batch_size"] for line in (run / "provenance.jsonl").read_text().splitlines()]


def test_a_run_with_auto_is_the_run_with_the_number_that_it_found_and_a_continued_one_keeps_that(
    evaluate, tmp_path, stand_in, capsys
):
    free(stand_in, 10**15)
    assert evaluate("--data.batch_size", "auto", into="auto") == 0
    assert "memory: activation memory per image " in capsys.readouterr().err
    assert evaluate("--data.batch_size", 6, into="six") == 0
    assert pictures(tmp_path / "auto") == pictures(tmp_path / "six")
    assert recorded(tmp_path / "auto") == recorded(tmp_path / "six") == [6]
    assert evaluate("--data.batch_size", 2, "--data.limit", 3, into="torn") == 0
    assert evaluate("--data.batch_size", "auto", into="torn") == 0
    assert recorded(tmp_path / "torn") == [2, 3]  # nobody had looked for the 2: of the three that are left all fit
    assert evaluate("--data.batch_size", "auto", "--data.limit", 2, into="short") == 0
    assert evaluate("--data.batch_size", "auto", into="short") == 0
    assert recorded(tmp_path / "short") == [2, 4]  # there were no more than 2
    free(stand_in, 5 * trial().bytes(1))
    assert evaluate("--data.batch_size", "auto", "--data.limit", 3, into="little") == 0
    free(stand_in, 10**15)
    assert evaluate("--data.batch_size", "auto", into="little") == 0
    assert recorded(tmp_path / "little") == [2, 2]  # memory had set it


def test_workers_of_a_comparison_share_the_memory_of_a_cpu_and_of_a_gpu(stand_in):
    free(stand_in, 1000)
    stand_in.setattr(batch_size, "SHARE", 1.0)
    stand_in.setattr(sharing.os, "environ", {})
    sharing.tell_sharing(of_the_machine=3, of_each_gpu=2)
    assert batch_size.largest(Memory(1000, 100), 64).size == 4
    each = trial().bytes(1)
    free(stand_in, 13 * each)
    assert batch_size.largest(trial(), 100).size == 2


def test_a_run_with_auto_for_which_there_is_no_memory_ends_with_one_line(evaluate, stand_in, capsys):
    free(stand_in, 2**20)
    stand_in.setattr(batch_size, "SHARE_ON_CPU", 0.01)
    assert evaluate("--data.batch_size", "auto") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("unavailable: ")]
    assert lines == [
        "error: data.batch_size: a guided step of one image takes more than 0 of the 1 MiB that are free on cpu; free "
        "some, take a smaller model, or try data.batch_size 1"
    ]


def test_of_whole_problems_the_batch_counts_problems_and_the_memory_images(stand_in, tmp_path):
    free(stand_in, 10**15)
    prior, task = TwentyFiveGaussians(8), tasks.RandomProjection(2)
    module = GuidedDiffusion(prior, task, DPS(1.0), DDIM(), steps=2)
    draws = MixtureDraws(limit=3, samples_per_image=5, batch_size="auto")
    module.check(draws)
    data = EvaluationDataModule(draws)
    trainer = Trainer(accelerator="cpu", logger=False, inference_mode=False, default_root_dir=tmp_path, **QUIET)
    trainer.predict(module, datamodule=data, return_predictions=False)
    assert data.fit is not None
    assert data.fit.size == data.batch_size == 3
    one = Trial(module.sampler, draws.load("0000"), torch.device("cpu"), samples=5).bytes(1)
    assert data.fit.bytes_each == pytest.approx(one / 5)


def test_all_processes_take_the_smallest_that_one_of_them_found(stand_in, image_folder):
    free(stand_in, 10**15)
    data = EvaluationDataModule(ImageFolder(str(image_folder), 16, batch_size="auto", num_workers=0))
    module = GuidedDiffusion(Toy(16), tasks.Denoising(), DPS(1.0), DDIM(), steps=2)
    found = []
    strategy = SimpleNamespace(
        broadcast=lambda told: told,
        reduce=lambda own, reduce_op: found.append((int(own), reduce_op)) or torch.tensor(2),
        root_device=torch.device("cpu"),
    )
    data.trainer = SimpleNamespace(  # type: ignore[assignment]
        strategy=strategy, lightning_module=module, precision_plugin=Precision(), world_size=2, num_devices=2,
        global_rank=0,
    )  # fmt: skip
    assert [len(batch.keys) for batch in data.predict_dataloader()] == [2, 1]
    assert found == [(3, "min")]
