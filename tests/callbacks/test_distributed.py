"""Every image is sampled once, on any number of processes, and nothing else changes with their number."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from torch.distributed import DistNetworkError

from dsg.command.exit_codes import MISTAKE, explain
from dsg.data.batches import Share
from dsg.data.mixture_draws import MixtureDraws
from dsg.module import EvaluationDataModule
from dsg.run_folder.folder import RunFolder
from tests.launch import Started, begin_cold, command, complete, ended, journal, results

SMALL = ("--data.batch_size", 1, "--data.limit", 5)


@pytest.fixture
def alone(evaluate, tmp_path):
    """A run of five images on one process."""
    assert evaluate(*SMALL, into="alone") == 0
    return results(tmp_path / "alone")


@pytest.mark.parametrize("ranks", range(1, 9))
@pytest.mark.parametrize("groups", range(7))
def test_all_shares_together_have_each_group_once(groups, ranks):
    samples = [object()] * groups
    shares = [Share(samples, rank, ranks) for rank in range(ranks)]
    assert sorted(index for share in shares for index in share) == list(range(groups))
    sizes = [len(share) for share in shares]
    assert sizes == [len(list(share)) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert sizes[0] == max(sizes)  # the first rank has nothing to do only where none has


@pytest.mark.parametrize("ranks", [1, 2, 3, 5])
def test_problems_of_a_mixture_are_shared_out_whole_and_by_what_the_first_rank_calls_done(ranks):
    done = frozenset({("0001", 0), ("0001", 1)})
    seen = []
    for rank in range(ranks):
        data = EvaluationDataModule(MixtureDraws(limit=4, samples_per_image=2))
        strategy = SimpleNamespace(broadcast=lambda said: (done, 3, 1), root_device=torch.device("cpu"))
        data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks, strategy=strategy)
        loader = data.predict_dataloader()
        seen += [loader.dataset.groups[index] for index in loader.sampler]
        assert data.start == 3
    assert sorted(seen) == [[(problem, 0), (problem, 1)] for problem in ("0000", "0002", "0003")]


@pytest.mark.parametrize("ranks", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_the_results_are_those_of_one_process(alone, settings, tmp_path, ranks):
    run = tmp_path / "run"
    complete(Started(command(settings, run, *SMALL, ranks=ranks)))
    assert results(run) == alone
    assert len(journal(run)) == 5
    assert {row["start"] for row in journal(run)} == {1}
    (start,) = RunFolder(run).provenance.starts()
    assert start["processes"] == ranks


def test_a_process_without_an_image_does_no_harm(evaluate, settings, tmp_path):
    few = (*SMALL, "--data.limit", 1)
    assert evaluate(*few, into="alone") == 0
    complete(Started(command(settings, tmp_path / "run", *few, ranks=2)))
    assert results(tmp_path / "run") == results(tmp_path / "alone")
    assert len(journal(tmp_path / "run")) == 1


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[gloo/transport/tcp/pair.cc:545] Read error [127.0.0.1]:36997: Connection reset by peer. GLHF!"),
        DistNetworkError("The client socket has failed to connect to any network address of (node, 1)."),
    ],
)
def test_a_collective_that_fails_since_another_process_is_gone_is_one_line(error):
    code, line = explain(error)
    assert code == MISTAKE
    assert line.startswith("error: another process of this run is gone; finished images are kept")
    assert "\n" not in line


@pytest.mark.slow
def test_torchrun_gives_the_same_results_and_leaves_a_complete_run_as_it_is(alone, settings, tmp_path):
    run = tmp_path / "run"
    several = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--standalone"]
    arguments = [*several, *command(settings, run, *SMALL, ranks=2)]
    complete(begin_cold(arguments))
    assert results(run) == alone
    assert len(journal(run)) == 5
    before = (run / "metrics.json").stat().st_mtime_ns
    complete(begin_cold(arguments))
    assert (run / "metrics.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_an_image_that_fails_on_another_process_ends_none_and_the_first_one_tells(settings, tmp_path, image_folder):
    (image_folder / "b.png").write_bytes(b"no picture")  # the second image is the second process's
    process = Started(command(settings, tmp_path / "run", *SMALL, ranks=2))
    stderr = ended(process)
    assert process.returncode == 1, stderr
    assert "1 of 5 samples failed" in stderr
    assert [f["id"] for f in json.loads((tmp_path / "run" / "metrics.json").read_text())["failures"]] == ["b"]
