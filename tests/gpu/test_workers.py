"""Workers of a comparison, each on a GPU of its own."""

from __future__ import annotations

import pytest
import torch

from dsg.comparison.devices import gpus
from dsg.comparison.grid import PlannedRun
from dsg.comparison.run import run_all
from tests.gpu.toys import tell_device


def logs(tmp_path, workers: int) -> list[str]:
    """What each of several runs says of the GPUs that it sees: process, then GPUs."""
    runs = [PlannedRun(f"runs/{number}", tmp_path, {}) for number in range(3 * workers)]
    assert sorted(run.name for run, _ in run_all(runs, tell_device, workers)) == sorted(run.name for run in runs)
    return [run.log.read_text().strip() for run in runs]


def test_a_worker_sees_one_gpu_or_none(device, tmp_path):
    for line in logs(tmp_path, 2):
        seen = line.split(" sees ")[1]
        assert seen == "no GPU" if not gpus() else "," not in seen


@pytest.mark.usefixtures("two_gpus")
def test_two_workers_see_two_gpus(tmp_path):
    by_process = dict(line.split(" sees ") for line in logs(tmp_path, 2))
    assert len(by_process) <= 2
    if len(by_process) == 2:  # a quick worker may have done all the runs
        assert len(set(by_process.values())) == 2


def test_a_gpu_that_is_named_by_its_uuid_is_the_one_that_a_worker_sees(gpu, tmp_path, monkeypatch):
    uuid = str(torch.cuda.get_device_properties(gpu).uuid)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", f"GPU-{uuid}")
    assert gpus() == [f"GPU-{uuid}"]
    assert {line.split(" sees ")[1] for line in logs(tmp_path, 2)} == {uuid}
