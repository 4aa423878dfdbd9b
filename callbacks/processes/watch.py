"""The processes of one run end together: none waits for another that is gone, and none goes on alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from _thread import interrupt_main
from types import FrameType

from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch import LightningModule, Trainer

from callbacks.base import EvaluationCallback
from callbacks.processes import store as processes
from dsg.command.exit_codes import MISTAKE
from dsg.command.private_interfaces import follow_signal_handlers, take_processes


class Watch(EvaluationCallback):
    """Ends the run when a process of it is gone, and on SIGTERM or SIGUSR1 as on Ctrl-C.

    The first process looks after those that it started, and they after it; where torchrun or srun started them, each
    after the first's store, by which they found each other. docs/distributed.md.
    """

    metrics = ""

    def __init__(self) -> None:
        self._over, self._sampling, self._ending = threading.Event(), threading.Event(), threading.Event()
        self._lost = ""
        self._children: list[subprocess.Popen] = []

    def __reduce__(self) -> tuple:  # in a process that it is sent to, nothing has happened yet
        return type(self), ()

    def begin(self, trainer: Trainer) -> None:
        """Watch from now on: called before the trainer starts other processes, which may be gone before they meet."""
        if trainer.world_size > 1:
            processes.publish_first_process(trainer)
            threading.Thread(target=self._watch, args=(trainer,), name="watch", daemon=True).start()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if isinstance(environment := getattr(trainer.strategy, "cluster_environment", None), SLURMEnvironment):
            environment.auto_requeue = False  # it would save the frozen model as a checkpoint
        processes.meet(trainer)
        follow_signal_handlers(trainer, self._handle_signals)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._sampling.set()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._ending.set()
        self._over.set()
        processes.end_all(self._children)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        self._over.set()
        processes.report_finished(trainer)

    def _handle_signals(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)):
                signal.signal(number, self._end)

    def _end(self, number: int, frame: FrameType | None) -> None:
        if not self._ending.is_set():
            self._ending.set()
            raise KeyboardInterrupt(*[self._lost] * bool(self._lost))

    def _watch(self, trainer: Trainer) -> None:
        while not self._over.wait(processes.INTERVAL):
            self._children = self._children or take_processes(trainer.strategy)
            if lost := processes.ended(self._children) or processes.first_is_gone(trainer):
                # how a process ends after its work is no matter
                if self._over.is_set() or processes.all_have_finished(trainer):
                    return
                self._lost = f"{lost}; finished images are kept, and the same command continues"
                # before there is anything to write, nothing can be interrupted: the others may be waited for
                if self._sampling.is_set():
                    interrupt_main(signal.SIGTERM)
                if not (self._sampling.is_set() and self._ending.wait(processes.PATIENCE)):
                    print(f"error: {self._lost}", file=sys.stderr, flush=True)
                    processes.end_all(self._children)
                    os._exit(MISTAKE)
                return
