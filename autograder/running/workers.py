"""Run a whole class in parallel, by workers on one machine or many. Dask moves the tasks; nothing else is shared."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from autograder.errors import MachineTooBusy
from autograder.running.limits import Limits
from autograder.running.passes import execute_task
from autograder.running.records import Run, Task
from autograder.running.sandbox import Sandbox

_slot: Sandbox | None = None  # each worker process holds one warm sandbox


def run_in_worker(task: Task, limits: Limits, protected: bool) -> Run | MachineTooBusy:
    """Run one task in this process's sandbox, which is made at the first call.

    What the machine was too busy for has been tried again already, so it is returned: Dask would retry an error.
    """
    global _slot
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
) -> Iterator[tuple[str, Run | Exception]]:
    """Run tasks in parallel. A task whose worker died is retried once, alone.

    Args:
        tasks: the tasks by name.
        limits: what each of them may use.
        protected: run them in the sandbox.
        scheduler: the address of a running Dask scheduler; without one, workers are started on this machine.
        workers: how many are started; one per core if not given.

    Yields:
        The name of a task and its run, as they finish; or the exception if the worker died twice or the task failed.
    """
    if not tasks:
        return
    from distributed import KilledWorker, as_completed

    with open_client(scheduler, min(workers or os.cpu_count() or 1, len(tasks))) as client:

        def submit(name: str, attempt: int):
            key = f"run-{name}-{tasks[name].digest[:16]}-{attempt}"
            return client.submit(run_in_worker, tasks[name], limits, protected, key=key, pure=False, retries=1)

        def result_of(future) -> Run | Exception:
            error = future.exception()
            return future.result() if error is None else error

        futures = {submit(name, 1): name for name in tasks}
        suspects = []
        for future in as_completed(list(futures)):
            result = result_of(future)
            if isinstance(result, KilledWorker):
                suspects.append(futures[future])
            else:
                yield futures[future], result
            future.release()
        for name in suspects:  # one at a time, so that a second crash identifies the faulty task
            future = submit(name, 2)
            yield name, result_of(future)
            future.release()


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
