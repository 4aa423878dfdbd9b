"""Work that goes on while the device computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait


class InBackground:
    """Does jobs one after the other, in the order given, in one thread.

    An error of a job is raised by the next `submit` or `drain` after it; later jobs are done all the same.

    Args:
        waiting: how many jobs may be unfinished before `submit` waits, at least 1; memory grows with it.
    """

    def __init__(self, waiting: int = 2) -> None:
        self.waiting = waiting
        self._thread: ThreadPoolExecutor | None = None
        self._jobs: deque[Future[None]] = deque()

    def submit(self, job: Callable[[], None]) -> None:
        """Do `job` after all that were given before it."""
        while self._jobs and (self._jobs[0].done() or len(self._jobs) >= self.waiting):
            wait([self._jobs[0]])  # before it leaves the queue, so that Ctrl-C here loses no job to `drain`
            self._jobs.popleft().result()
        if self._thread is None:  # a thread cannot be sent to another process, and this can before its first job
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="in-background")
        self._jobs.append(self._thread.submit(job))

    def drain(self) -> None:
        """Wait until every job is done."""
        wait(self._jobs)
        jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            job.result()
