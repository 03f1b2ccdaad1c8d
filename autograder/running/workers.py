"""Run a whole class in parallel, by workers on one machine or many. Dask moves the tasks; nothing else is shared.

A worker with another version of the course would give other grades, so it is refused before it runs anything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from autograder.course.code_hash import hash_of_folders
from autograder.errors import MachineTooBusy, NoWorkers
from autograder.running.limits import Limits
from autograder.running.passes import execute_task
from autograder.running.run_types import Run, Task
from autograder.running.sandbox import Sandbox

WAIT_S = 60  # for the first worker of a running scheduler

_slot: Sandbox | None = None  # each worker process holds one warm sandbox


@cache
def course_hash() -> str:
    """Return a hash of the files that decide what a run gives: the package `utils`, and what runs a notebook."""
    return hash_of_folders("utils", "autograder/running")


@dataclass(frozen=True)
class OtherCourse:
    """What a worker returns that has another version of the course, and therefore ran nothing."""

    worker: str  # its address


def run_in_worker(task: Task, limits: Limits, protected: bool, asked: str) -> Run | MachineTooBusy | OtherCourse:
    """Run one task in this process's sandbox, which is made at the first call.

    What the machine was too busy for has been tried again already, so it is returned: Dask would retry an error.

    Args:
        task: the task.
        limits: what it may use.
        protected: run it in the sandbox.
        asked: the hash of the course that asks.
    """
    global _slot
    if asked != course_hash():
        from distributed import get_worker

        return OtherCourse(get_worker().address)
    if _slot is None or _slot.protected != protected or _slot.limits != limits:
        if _slot is not None:
            _slot.close()
        _slot = Sandbox(limits, protected)
    try:
        return execute_task(task, _slot)
    except MachineTooBusy as error:
        return error


def run_all(
    tasks: dict[str, Task],
    limits: Limits,
    protected: bool = True,
    scheduler: str | None = None,
    workers: int | None = None,
    refused: dict[str, str] | None = None,
) -> Iterator[tuple[str, Run | Exception]]:
    """Run tasks in parallel. A task whose worker died is retried once, alone.

    Args:
        tasks: the tasks by name.
        limits: what each of them may use.
        protected: run them in the sandbox.
        scheduler: the address of a running Dask scheduler; without one, workers are started on this machine.
        workers: how many are started; one per core if not given.
        refused: takes the address of each worker that was refused, with the reason.

    Yields:
        The name of a task and its run, as they finish; or the exception if the worker died twice or the task failed.

    Raises:
        NoWorkers: the scheduler has no worker, or none that has this version of the course.
    """
    if not tasks:
        return
    from distributed import KilledWorker, as_completed

    with open_client(scheduler, min(workers or os.cpu_count() or 1, len(tasks))) as client:
        crew = Crew(client, tasks, limits, protected, {} if refused is None else refused)
        crew.meet()
        futures = {crew.submit(name): name for name in tasks}
        suspects = []
        running = as_completed(list(futures))
        for future in running:
            name, result = futures[future], crew.result_of(future)
            if result is None:
                again = crew.submit(name)
                futures[again] = name
                running.add(again)
            elif isinstance(result, KilledWorker):
                suspects.append(name)
            else:
                yield name, result
        for name in suspects:  # one at a time, so that a second crash identifies the faulty task
            while (result := crew.result_of(crew.submit(name))) is None:
                pass
            yield name, result


class Crew:
    """The workers of a scheduler, and what they are given.

    Args:
        client: the scheduler's client.
        tasks: the tasks by name.
        limits: what each of them may use.
        protected: run them in the sandbox.
        refused: takes the address of each worker that was refused, with the reason.
    """

    def __init__(self, client, tasks: dict[str, Task], limits: Limits, protected: bool, refused: dict[str, str]):
        self.client, self.tasks, self.limits, self.protected, self.refused = client, tasks, limits, protected, refused
        self.attempts: Counter[str] = Counter()

    def submit(self, name: str):
        """Return the future of a task, each time a new one."""
        self.attempts[name] += 1
        key = f"run-{name}-{self.tasks[name].submission_hash[:16]}-{self.attempts[name]}"
        words = (self.tasks[name], self.limits, self.protected, course_hash())
        return self.client.submit(run_in_worker, *words, key=key, pure=False, retries=1)

    def result_of(self, future) -> Run | Exception | None:
        """Return what came of a task, or None if it has to be submitted again: its worker was refused.

        Raises:
            NoWorkers: it was the last worker.
        """
        error = future.exception()
        result = future.result() if error is None else error
        future.release()
        if isinstance(result, OtherCourse):
            self.refuse(result.worker)
            return None
        return result

    def meet(self) -> None:
        """Wait for the first worker, and refuse those that have another version of the course.

        Raises:
            NoWorkers: there is no worker, or none with this version.
        """
        address = self.client.scheduler.address
        try:
            self.client.wait_for_workers(1, timeout=WAIT_S)
        except TimeoutError:
            raise NoWorkers(f"no worker has joined the scheduler {address} within {WAIT_S} s: start one") from None
        for worker, its_hash in self.client.run(course_hash, on_error="return").items():
            if its_hash != course_hash():  # or an error: a version that does not know this function
                self.refuse(worker)

    def refuse(self, worker: str) -> None:
        """Send a worker away, with a line that says why.

        Raises:
            NoWorkers: it was the last one.
        """
        if worker not in self.refused:
            host = worker.rpartition("://")[2].rpartition(":")[0]
            self.refused[worker] = (
                f"the worker {worker} was refused, because it has another version of the course: update the course on "
                f"{host}, and start its worker again"
            )
            self.client.retire_workers([worker], close_workers=True)
        if not set(self.client.nthreads()) - set(self.refused):
            raise NoWorkers(f"no worker is left; {'; '.join(self.refused.values())}")


@contextlib.contextmanager
def open_client(scheduler: str | None, workers: int):
    """Open a client of a running scheduler, or of a cluster on this machine that ends with it."""
    import logging

    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    # Dask blames a worker's death on every task that the worker held. So no task waits at a busy worker, and all tasks
    # that a dead worker held come back at once and are retried alone.
    dask.config.set(
        {
            "distributed.scheduler.allowed-failures": 0,
            "distributed.scheduler.worker-saturation": 1.0,
            "distributed.worker.daemon": False,
        }
    )
    if scheduler:
        with Client(scheduler) as client:
            yield client
        return
    with sigint_ignored():
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:
        yield client


@contextlib.contextmanager
def sigint_ignored() -> Iterator[None]:
    """Let processes that are started in the block ignore Ctrl-C: this process ends them, and prints one message."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
