"""Which of Lightning's ways to use several devices an evaluation can use."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy, Strategy

from dsg.command.private_interfaces import starts_by_multiprocessing
from dsg.errors import UserError


def check_strategy(strategy: Strategy, name: Any) -> None:
    """Refuse what a run of the command line cannot end well under, before there is a run folder.

    Processes that are copies of this one end in ways that this one does not hear of: their results would be lost, or
    written twice. Strategies that split the network's weights meet at each of its layers, and no two processes have the
    same number of batches.

    Args:
        strategy: the trainer's.
        name: what the settings call it.

    Raises:
        UserError: naming the strategy that does it.
    """
    name = name if isinstance(name, str) and name != "auto" else type(strategy).__name__
    mend = "set trainer.strategy to ddp, which starts this command once a device"
    if starts_by_multiprocessing(strategy):
        raise UserError(
            f"trainer.strategy: {name} copies the process that holds the run folder, and is for notebooks; {mend}"
        )
    if not isinstance(strategy, DDPStrategy | SingleDeviceStrategy):
        raise UserError(
            f"trainer.strategy: {name} wants all processes in step, and each has a share of images of its own; {mend}"
        )
