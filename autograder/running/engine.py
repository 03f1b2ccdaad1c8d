"""The engine: runs of a whole class, in parallel, on one machine or many. Dask moves tasks; nothing else is shared."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from autograder.running.limits import Limits
from autograder.running.passes import Run, Task, execute_task
from autograder.running.sandbox import Sandbox

_slot: Sandbox | None = None  # each worker process holds one warm sandbox


def run_in_worker(task: Task, limits: Limits, protected: bool) -> Run:
    """One task in this process's sandbox, which is made at the first call."""
    global _slot
    if _slot is None or _slot.protected != protected or _slot.limits != limits:
        if _slot is not None:
            _slot.close()
        _slot = Sandbox(limits, protected)
    return execute_task(task, _slot)


def run_all(
    tasks: dict[str, Task],
    limits: Limits,
    protected: bool = True,
    scheduler: str | None = None,
    workers: int | None = None,
) -> Iterator[tuple[str, Run | Exception]]:
    """Runs as they finish, by name. A task whose worker died is retried once, alone, then returned as an exception."""
    if not tasks:
        return
    from distributed import KilledWorker, as_completed

    with open_client(scheduler, min(workers or os.cpu_count() or 1, len(tasks))) as client:

        def submit(name: str, attempt: int):
            key = f"run-{name}-{tasks[name].digest[:16]}-{attempt}"
            return client.submit(run_in_worker, tasks[name], limits, protected, key=key, pure=False, retries=1)

        futures = {submit(name, 1): name for name in tasks}
        suspects = []
        for future in as_completed(list(futures)):
            error = future.exception()
            if isinstance(error, KilledWorker):
                suspects.append(futures[future])
            else:
                yield futures[future], error if error is not None else future.result()
            future.release()
        for name in suspects:  # again, one at a time: whoever takes a worker along now did it alone
            future = submit(name, 2)
            error = future.exception()
            yield name, error if error is not None else future.result()
            future.release()


@contextlib.contextmanager
def open_client(scheduler: str | None, workers: int):
    """A client of a running scheduler, or of a cluster of this machine's own."""
    import logging

    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    # Dask blames a worker's death on every task that it held, guilty or not: so none waits at a busy worker, and all
    # that it held come back at once, to be tried again alone.
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
    with deaf_to_ctrl_c():
        cluster = LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:
        yield client


@contextlib.contextmanager
def deaf_to_ctrl_c():
    """For processes started meanwhile: Ctrl-C is for the one that closes them. They would print a page of errors each."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
