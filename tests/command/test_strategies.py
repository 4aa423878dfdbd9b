"""A way to start processes that an evaluation cannot use is refused before there is a run folder."""

from __future__ import annotations

import pytest
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy, SingleDeviceStrategy

from dsg.command.strategies import check_strategy
from dsg.errors import UserError


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize(
    "strategy", ["ddp_spawn", "ddp_notebook", "ddp_fork", "ddp_spawn_find_unused_parameters_false"]
)
def test_processes_that_are_copies_are_refused_by_name_with_ddp_as_the_mend(
    evaluate, tmp_path, capsys, strategy, devices
):
    assert evaluate("--trainer.strategy", strategy, "--trainer.devices", devices) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: trainer.strategy: {strategy} copies the process")
    assert "set trainer.strategy to ddp" in line
    assert not (tmp_path / "run").exists()


def test_the_same_given_as_a_class_is_refused_too(evaluate, tmp_path, capsys):
    spawned = ("--trainer.strategy.class_path", "lightning.pytorch.strategies.DDPStrategy")
    assert evaluate(*spawned, "--trainer.strategy.start_method", "spawn", "--trainer.devices", 2) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: trainer.strategy: DDPStrategy copies the process")
    assert not (tmp_path / "run").exists()


def test_a_strategy_that_splits_the_weights_is_refused():
    with pytest.raises(UserError, match=r"FSDPStrategy wants all processes in step.*set trainer.strategy to ddp"):
        check_strategy(FSDPStrategy(), "auto")


@pytest.mark.parametrize("strategy", [SingleDeviceStrategy("cpu"), DDPStrategy()])
def test_one_device_and_ddp_are_taken(strategy):
    check_strategy(strategy, "auto")
