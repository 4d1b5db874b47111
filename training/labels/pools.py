"""Who runs chunks: this process, several one-thread processes, or the workers of a Ray cluster.

Law: a pool gives each chunk back once, in whatever order they end; which pool ran it does not change its results.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from domain.errors import InvalidRequest
from training.labels.calls import Chunk, Model, Ran, run_chunk


class Pool(Protocol):
    def run(self, chunks: Sequence[Chunk]) -> Iterator[Ran]:
        """Raises EngineError, ConfigurationError or Unavailable. Nothing is loaded before the first chunk."""
        ...


@dataclass(frozen=True, slots=True)
class Crew:
    """How a run is spread."""

    workers: int = 1
    """Processes (or Ray actors) with one thread each; 1 without Ray: this very process."""
    ray_address: str | None = None
    """Of a running cluster, e.g. `127.0.0.1:6379` or `auto`; None: no Ray."""
    rows: int | None = None
    """Bound of an engine's batch; None: the engine's own. It takes part in rounding, so it belongs to the run."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InvalidRequest("workers must be at least 1", param="workers")
        if self.rows is not None and self.rows < 1:
            raise InvalidRequest("rows must be at least 1", param="rows")

    def pool(self, kind: str, spec: str) -> AbstractContextManager[Pool]:
        """`kind` is `policy` or `verifier`."""
        model = Model(kind, spec, self.rows, 1, self.device)
        if self.ray_address is not None:
            from training.labels.ray_pool import RayPool

            return RayPool(model, self.workers, self.ray_address)
        if self.workers > 1:
            from training.labels.processes import Processes

            return Processes(model, self.workers)
        return Here(model)


class Here:
    """This process, on the calling thread."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._core: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._core = None

    def run(self, chunks: Sequence[Chunk]) -> Iterator[Ran]:
        for chunk in chunks:
            self._core = self._core or self._model.load()
            yield run_chunk(self._core, chunk)
