"""The workers of a Ray cluster: one actor for each, with one thread and its own engine.

Law: only plain frozen values cross; an actor that dies with its node is made again, and its chunk runs again from the
start. The model's path must lead to the same files on every node.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from domain.errors import EngineError, Unavailable
from training.labels.calls import Chunk, Model, Ran, run_chunk

READY_WITHIN_S = 120.0
TRIES = 3
"""Times that a chunk is started before its actors' deaths count as its own fault."""


class Worker:
    """The actor."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._core: Any = None

    def ready(self) -> bool:
        return True

    def run(self, chunk: Chunk) -> Ran:
        self._core = self._core or self._model.load()
        return run_chunk(self._core, chunk)


class RayPool:
    """Implements `training.labels.pools.Pool`."""

    def __init__(self, model: Model, workers: int, address: str) -> None:
        self._model, self._workers, self._address = model, workers, address
        self._actors: list[Any] = []
        self._joined = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._actors and not self._joined:
            return
        import ray

        for actor in self._actors:
            ray.kill(actor)
        self._actors.clear()
        if self._joined:
            ray.shutdown()

    def run(self, chunks: Sequence[Chunk]) -> Iterator[Ran]:
        """Raises Unavailable when the cluster can't be joined or has no core to spare."""
        if not chunks:
            return
        import ray

        self._start(min(self._workers, len(chunks)))
        left, tries = deque(chunks), Counter[str]()
        running: dict[Any, tuple[Any, Chunk]] = {}
        idle = list(self._actors)
        while left or running:
            while left and idle:
                actor, chunk = idle.pop(), left.popleft()
                running[actor.run.remote(chunk)] = (actor, chunk)
            done, _ = ray.wait(list(running))
            actor, chunk = running.pop(done[0])
            ran = self._result(done[0])
            idle.append(actor if ran else self._replaced(actor))
            if ran is not None:
                yield ran
                continue
            left.appendleft(chunk)
            tries[chunk.name] += 1
            if tries[chunk.name] >= TRIES:
                raise EngineError(f"Ray lost {TRIES} workers at the same work: look at the memory of its nodes")

    def _result(self, ref: Any) -> Ran | None:
        """None when the actor died. Raises what the engine raised."""
        import ray

        try:
            found = ray.get(ref)
        except ray.exceptions.RayActorError:
            return None
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        assert isinstance(found, Ran)
        return found

    def _start(self, wanted: int) -> None:
        import ray

        if not ray.is_initialized():
            self._join()
        fresh = [self._made() for _ in range(wanted - len(self._actors))]
        self._actors += fresh
        if fresh and not ray.wait([actor.ready.remote() for actor in fresh], timeout=READY_WITHIN_S)[0]:
            remedy = "end other work there, or ask for fewer engine replicas"
            raise Unavailable(f"Ray at {self._address} had no free core within {READY_WITHIN_S:.0f} s: {remedy}")

    def _join(self) -> None:
        import ray

        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(address=self._address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise Unavailable(f"can't join Ray at {self._address}: {reason}") from error
        self._joined = True

    def _made(self) -> Any:
        import ray

        gpus = 1 if self._model.device.startswith("cuda") else 0
        options = {"num_cpus": 1, "num_gpus": gpus, "max_restarts": 0, "max_task_retries": 0}
        return ray.remote(Worker).options(**options).remote(self._model)

    def _replaced(self, dead: Any) -> Any:
        self._actors.remove(dead)
        self._actors.append(self._made())
        return self._actors[-1]
