"""What the processes of one run know of each other."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from datetime import timedelta
from weakref import WeakKeyDictionary

import torch.distributed as dist
from lightning.pytorch import Trainer
from torch.distributed import Store, TCPStore  # type: ignore[attr-defined] # documented, and not in its __all__

INTERVAL = 0.5
"""Seconds between two looks at the other processes."""

PATIENCE = 20.0
"""Seconds that a process has to notice that it is to end: a step of the device cannot be interrupted."""

FIRST = "TRAIN_FREE_EVAL_FIRST_PROCESS"
"""The environment's word for the id of the process that starts others; those inherit it."""

_stores: WeakKeyDictionary[Trainer, Store] = WeakKeyDictionary()


def publish_first_process(trainer: Trainer) -> None:
    """Tell the processes that this one will start, if it does, who that is."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    if environment is not None and not environment.creates_processes_externally:
        os.environ[FIRST] = str(os.getpid())


def others_are_there(trainer: Trainer) -> bool:
    """Whether torchrun or srun has started other processes of this run, which will wait for this one."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return trainer.world_size > 1 and environment is not None and environment.creates_processes_externally


def wait_for_others(trainer: Trainer) -> None:
    """On the first process, wait until all others have written their share.

    It is no barrier: those give up after some minutes, and shares may end further apart; and no signal would end them.
    """
    if trainer.is_global_zero and dist.is_initialized():
        while not all_have_finished(trainer):
            time.sleep(INTERVAL / 5)


def report_finished(trainer: Trainer) -> None:
    """Tell the first process that this other one has written its share."""
    if trainer.global_rank > 0 and dist.is_initialized():
        with suppress(RuntimeError):  # the first process is gone, and will not count
            _store(trainer).add(_counter(trainer), 1)


def all_have_finished(trainer: Trainer) -> bool:
    """Whether this is the first process, and all others have written their share."""
    if not (trainer.is_global_zero and dist.is_initialized()):
        return False
    return _store(trainer).add(_counter(trainer), 0) >= trainer.world_size - 1


def ended(children: list[subprocess.Popen]) -> str:
    """Which of `children` ended otherwise than well, and how."""
    for rank, process in enumerate(children, start=1):
        if code := process.poll():
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            return f"process {process.pid}, local rank {rank} of this run, {how}"
    return ""


def first_is_gone(trainer: Trainer) -> str:
    """Why this process has nobody to work for; nothing on the first process, or where that is there."""
    gone = "the first process of this run is gone"
    first = int(os.environ.get(FIRST, os.getpid()))
    if os.getpid() != first != os.getppid():  # on Windows a process keeps the number of a parent that is gone
        return gone
    if trainer.is_global_zero or not dist.is_initialized():
        return ""
    try:
        _store(trainer).check([_counter(trainer)])
    except RuntimeError:
        return gone
    return ""


def end_all(children: list[subprocess.Popen]) -> None:
    """Each writes what it has finished, so that the summary tells of it."""
    for process in children:
        process.terminate()
    deadline = time.monotonic() + PATIENCE
    for process in children:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()


def meet(trainer: Trainer) -> None:
    """Be able to hear of the first process from now on, once the processes have found each other."""
    if trainer.world_size > 1 and dist.is_initialized():
        _store(trainer)


def _store(trainer: Trainer) -> Store:
    """The store by which the processes found each other, as another client of it."""
    if trainer not in _stores:
        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        patience = timedelta(seconds=PATIENCE)
        _stores[trainer] = TCPStore(address, port, is_master=False, timeout=patience, wait_for_workers=False)
    return _stores[trainer]


def _counter(trainer: Trainer) -> str:
    """Of this run's processes, and of this attempt where torchrun starts them again."""
    return f"finished {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)} {trainer.default_root_dir}"
