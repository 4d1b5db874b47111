"""Several one-thread processes on this machine, each with its own engine.

Law: the processes never outlive their parent, however it ends.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import Any, Self

from domain.errors import ConfigurationError, DeliberateError, EngineError
from training.labels.calls import Chunk, Model, Ran, run_chunk

END_WITHIN_S = 5.0


class Processes:
    """Implements `training.labels.pools.Pool`."""

    def __init__(self, model: Model, workers: int) -> None:
        self._model, self._workers = model, workers
        self._running: dict[Connection, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pipe in self._running:
            pipe.close()
        for process in self._running.values():
            process.terminate()
            process.join(END_WITHIN_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._running.clear()

    def run(self, chunks: Sequence[Chunk]) -> Iterator[Ran]:
        left = deque(chunks)
        self._start(min(self._workers, len(left)))
        busy = {pipe for pipe in self._running if _given(pipe, left)}
        while busy:
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)
                ran = self._received(pipe)
                if not _given(pipe, left):
                    busy.discard(pipe)
                yield ran

    def _start(self, wanted: int) -> None:
        context = multiprocessing.get_context("spawn")
        while len(self._running) < wanted:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, self._model), daemon=True)
            process.start()
            theirs.close()
            self._running[ours] = process

    def _received(self, pipe: Connection) -> Ran:
        try:
            found = pipe.recv()
        except (EOFError, OSError):
            process = self._running[pipe]
            process.join(END_WITHIN_S)
            remedy = "start the same command again, with fewer workers if memory was short"
            raise EngineError(
                f"a sampling process ended without a word (exit code {process.exitcode}): {remedy}"
            ) from None
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, Ran)
        return found


def _given(pipe: Connection, left: deque[Chunk]) -> bool:
    """Hands over the next chunk, if there is one."""
    if not left:
        return False
    with contextlib.suppress(OSError):  # its end is seen when its answer is read
        pipe.send(left.popleft())
    return True


def _work(pipe: Connection, model: Model) -> None:
    """The child: loads the model, then runs what it is given until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    threading.Thread(target=_follow_parent, daemon=True).start()
    core = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            chunk = pipe.recv()
            try:
                core = core or model.load()
                pipe.send(run_chunk(core, chunk))
            except DeliberateError as error:
                pipe.send(_plain(error))


def _plain(error: DeliberateError) -> Exception:
    """An error that survives pickling: ours have keyword-only arguments."""
    kind = ConfigurationError if isinstance(error, ConfigurationError) else EngineError
    return kind(error.message)


def _follow_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
