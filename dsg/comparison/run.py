"""Runs of `predict` one after the other in this process, or side by side in several."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from dsg.command.exit_codes import FAILED, INTERRUPTED, MISTAKE, OK
from dsg.command.sharing import tell_sharing
from dsg.comparison.check import last_error
from dsg.comparison.devices import cores, gpus, use_gpu
from dsg.comparison.grid import PlannedRun
from dsg.comparison.warm_processes import end_with_parent, hear_signals, warm_processes
from dsg.errors import UserError
from dsg.run_folder.folder import RunFolder

PATIENCE = 20.0
"""Seconds that a worker has to write what is finished."""

LOOK = 0.5
"""Seconds until it is asked again whether there is something to run."""

END = PlannedRun("", Path(), {})
"""Behind the last run."""

Predict = Callable[[list[str]], int]
"""The command line: its arguments → the exit code."""


Ended = tuple[PlannedRun, bool]
"""A run, and whether it has finished: False where another process has its folder."""


def run_all(runs: Iterable[PlannedRun | None], predict: Predict, workers: int) -> Generator[Ended, None, None]:
    """Run all, and yield each that has ended; images that failed do not end it. Closed early, it ends the workers.

    Args:
        runs: in no order that matters, each asked for when there is a worker for it; None where there is nothing to
            begin at the moment: it is asked again soon.
        predict: the command line; with several workers, a function that a new process can import.
        workers: processes, each with its share of the cores and a GPU of its own where there are as many.

    Raises:
        UserError: for a run that ended by a mistake, with its line.
        KeyboardInterrupt: if one was interrupted.
    """
    if workers == 1:
        for run in runs:
            if run is None:
                time.sleep(LOOK)
                continue
            yield run, _has_finished(run, _run(predict, run.arguments(), run.log))
        return
    context = warm_processes()
    places = context.Queue()
    shown = gpus()
    for number in range(workers):
        places.put(shown[number % len(shown)] if shown else None)
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (places, workers, max(1, len(shown))))
    try:
        yield from _run_side_by_side(iter(runs), predict, workers, pool)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker was killed, perhaps for want of memory; finished images are kept: use fewer --workers"
        ) from error
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        _end(multiprocessing.active_children())
        raise
    finally:
        pool.shutdown()


def _run_side_by_side(
    runs: Iterator[PlannedRun | None], predict: Predict, workers: int, pool: ProcessPoolExecutor
) -> Iterator[Ended]:
    pending: dict[Future[int], PlannedRun] = {}
    more = True
    while more or pending:
        while more and len(pending) < workers:
            if (run := next(runs, END)) is None:
                break
            if more := run is not END:
                pending[pool.submit(_run, predict, run.arguments(), run.log)] = run
        if not pending:
            time.sleep(LOOK * more)
            continue
        for future in wait(pending, LOOK if more and len(pending) < workers else None, FIRST_COMPLETED).done:
            run = pending.pop(future)
            yield run, _has_finished(run, future.result())


def default_workers() -> int:
    """One a GPU; without one, a single process with all cores."""
    return max(1, len(gpus()))


def _end(workers: list[BaseProcess]) -> None:
    """End the workers; each writes what is finished. One that waits for a lock of another that is gone is killed."""
    for worker in workers:
        worker.terminate()
    deadline = time.monotonic() + PATIENCE
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))
        if worker.is_alive():
            worker.kill()


def _begin_worker(places: multiprocessing.Queue, workers: int, gpus_there: int) -> None:
    hear_signals()
    end_with_parent()
    tell_sharing(workers, math.ceil(workers / gpus_there))
    if (gpu := places.get()) is not None:
        use_gpu(gpu)
    torch.set_num_threads(max(1, min(torch.get_num_threads(), cores() // workers)))


def _run(predict: Predict, arguments: list[str], log: Path) -> int:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as file, redirect_stdout(file), redirect_stderr(file):
        try:
            return predict(arguments)
        except SystemExit as end:  # of the parser
            return end.code if isinstance(end.code, int) else FAILED
        except Exception:
            traceback.print_exc()
            raise


def _has_finished(run: PlannedRun, code: int) -> bool:
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code in (OK, FAILED):
        return True
    if code == MISTAKE and RunFolder(run.folder).in_use():
        return False
    with contextlib.suppress(OSError):
        raise UserError(f"{run.name}: {last_error(run.log.read_text(encoding='utf-8'))}")
    raise UserError(f"{run.name}: ended with code {code}")
