"""The processes of one run end together: none waits for another that is gone, and none goes on alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from _thread import interrupt_main
from contextlib import suppress
from types import FrameType
from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import LightningModule, Trainer
from torch.distributed import distributed_c10d

from callbacks.base import EvaluationCallback
from dsg.mistakes import MISTAKE

INTERVAL = 0.5
"""Seconds between two looks at the other processes."""

PATIENCE = 20.0
"""Seconds that a process has to notice that it is to end: a step of the device cannot be interrupted."""


class Watch(EvaluationCallback):
    """Ends the run when a process of it is gone, and on SIGTERM or SIGUSR1 as on Ctrl-C.

    The first process looks after those that it started, the others after the first: that of the store by which they
    found each other. Processes that torchrun or srun started are also theirs to look after. docs/distributed.md.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._over, self._ending, self._lost = threading.Event(), threading.Event(), ""
        # Lightning kills the first process where another has ended, without a word and while it may be writing
        launched = getattr(trainer.strategy.launcher, "procs", [])
        self._children = [process for process in launched if isinstance(process, subprocess.Popen)]
        if self._children:
            launched.clear()
        if isinstance(environment := getattr(trainer.strategy, "cluster_environment", None), SLURMEnvironment):
            environment.auto_requeue = False  # it would save the frozen model as a checkpoint
        if trainer.world_size > 1:
            threading.Thread(target=self._watch, args=(trainer,), name="watch", daemon=True).start()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Lightning, which puts the old handlers back, only notes SIGTERM while it predicts
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)):
                signal.signal(number, self._end)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._ending.set()
        self._over.set()
        _end_all(self._children)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._over.set()
        if trainer.global_rank > 0 and dist.is_initialized():
            with suppress(RuntimeError):  # the first process is gone, and will not count
                _store().add(_counter(trainer), 1)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if not self._ending.is_set():
            self._ending.set()
            raise KeyboardInterrupt(*[self._lost] * bool(self._lost))

    def _watch(self, trainer: Trainer) -> None:
        while not self._over.wait(INTERVAL):
            if lost := _ended(self._children) or _first_is_gone(trainer):
                if self._over.is_set() or _all_are_through(trainer):  # how a process ends after its work is no matter
                    return
                self._lost = f"{lost}; finished images are kept, and the same command continues"
                interrupt_main(signal.SIGTERM)
                if not self._ending.wait(PATIENCE):
                    print(f"error: {self._lost}", file=sys.stderr, flush=True)
                    _end_all(self._children)
                    os._exit(MISTAKE)
                return


def others_are_there(trainer: Trainer) -> bool:
    """Whether torchrun or srun has started other processes of this run, which will wait for this one."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    return trainer.world_size > 1 and environment is not None and environment.creates_processes_externally


def wait_for_others(trainer: Trainer) -> None:
    """On the first process, wait until all others have written their share.

    It is no barrier: those give up after some minutes, and shares may end further apart; and no signal would end them.
    """
    if trainer.is_global_zero and dist.is_initialized():
        while not _all_are_through(trainer):
            time.sleep(INTERVAL / 5)


def _store() -> Any:
    return distributed_c10d._get_default_store()


def _counter(trainer: Trainer) -> str:
    return f"finished {trainer.default_root_dir}"


def _all_are_through(trainer: Trainer) -> bool:
    return trainer.is_global_zero and _store().add(_counter(trainer), 0) >= trainer.world_size - 1


def _ended(children: list[subprocess.Popen]) -> str:
    for rank, process in enumerate(children, start=1):
        if code := process.poll():
            how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
            return f"process {process.pid}, local rank {rank} of this run, {how}"
    return ""


def _first_is_gone(trainer: Trainer) -> str:
    if trainer.is_global_zero:
        return ""
    try:
        _store().check([_counter(trainer)])
    except RuntimeError:
        return "the first process of this run is gone"
    return ""


def _end_all(children: list[subprocess.Popen]) -> None:
    """Each writes what it has finished, so that the summary tells of it."""
    for process in children:
        process.terminate()
    deadline = time.monotonic() + PATIENCE
    for process in children:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
