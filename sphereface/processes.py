"""Work of one kind on many items in several processes, its results taken in order."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from typing import TypeVar

from sphereface.errors import SpherefaceError

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Yields `work(item)` of each item in order; with one worker in this process, with W each W-th item in another.

    What `work` raises is raised here, at its item's place; it, the items and the results must be picklable. Workers
    whose parent is gone end with the item under way. Raises SpherefaceError where a worker was killed.
    """
    if workers == 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of threads that it has not
    readers, processes = [], []
    try:
        for first in range(workers):
            reader, writer = context.Pipe(duplex=False)
            process = context.Process(target=_serve, args=(work, items[first::workers], writer), daemon=True)
            process.start()
            writer.close()  # the worker's copy is the last one: its end is seen here
            readers.append(reader)
            processes.append(process)
        for index in range(len(items)):
            try:
                done, value = readers[index % workers].recv()
            except EOFError:
                raise SpherefaceError("a process that helps was killed (memory?); run the same command again") from None
            if not done:
                raise value
            yield value
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for reader in readers:
            reader.close()


def _serve(work: Callable[[Item], Result], items: Sequence[Item], writer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends this process
    with contextlib.suppress(BrokenPipeError):
        try:
            for item in items:
                writer.send((True, work(item)))
        except BrokenPipeError:
            raise
        except Exception as error:
            writer.send((False, error))
