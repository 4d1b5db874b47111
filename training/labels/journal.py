"""The record of the calls that were made, so that a run that was killed goes on from there.

Law: a chunk is in the journal as a whole or not at all. What a kill has torn is cut off when the journal is opened
again, and a journal of another run is never touched.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from domain.errors import ConfigurationError
from training.labels.calls import Chunk, Ran, Result, Rollout, from_row, to_row
from training.progress import say

VERSION = 1


@dataclass(frozen=True, slots=True)
class _Entry:
    digest: str
    results: tuple[Result, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class _End:
    """The line that ends a chunk."""

    chunk: str
    digest: str
    results: int
    seconds: float


class Journal:
    """A file of JSON lines: what the run is; then for each chunk its results, and a line that ends it."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        """Raises ConfigurationError when the file is another run's, in use, or can't be read or written."""
        self._path = path
        self._header = {"journal": VERSION, "of": json.loads(json.dumps(identity))}
        self._entries: dict[str, _Entry] = {}
        with _using(path), ExitStack() as opened:
            self._file = opened.enter_context(_locked(path))
            self._load()
            opened.pop_all()  # it stays open

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    @property
    def seconds(self) -> float:
        """Time that engines worked, over all starts of the run."""
        return sum(entry.seconds for entry in self._entries.values())

    def rollouts(self) -> Iterator[Rollout]:
        return (one for entry in self._entries.values() for one in entry.results if isinstance(one, Rollout))

    def get(self, chunk: Chunk) -> tuple[Result, ...] | None:
        """The chunk's results if it has run. Raises ConfigurationError when one of this name asked something else."""
        entry = self._entries.get(chunk.name)
        if entry is not None and entry.digest != chunk.digest:
            raise self._foreign()
        return entry.results if entry else None

    def add(self, ran: Ran) -> None:
        """Raises ConfigurationError when the disk has no room; this chunk is lost then and no other."""
        entry = _Entry(ran.chunk.digest, ran.results, ran.seconds)
        end = asdict(_End(ran.chunk.name, entry.digest, len(ran.results), ran.seconds))
        with _using(self._path):
            self._file.write(b"".join(map(_line, [*map(to_row, ran.results), end])))
            self._file.flush()
            os.fsync(self._file.fileno())
        self._entries[ran.chunk.name] = entry

    def drop(self) -> None:
        """The run is complete."""
        self._path.unlink(missing_ok=True)

    def _load(self) -> None:
        lines = self._file.read().splitlines(keepends=True)
        header = _line(self._header)
        if not lines or (len(lines) == 1 and header.startswith(lines[0]) and lines[0] != header):  # killed at once
            self._cut(0)
            self._file.write(header)
            self._file.flush()
            return
        if lines[0] != header:
            raise self._foreign()
        kept = len(header) + self._read_chunks(lines[1:])
        torn = " and drops a torn one" if kept < sum(map(len, lines)) else ""
        self._cut(kept)
        say(f"{self._path.name}: goes on after {len(self._entries)} chunks{torn}")

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(size)

    def _read_chunks(self, lines: Sequence[bytes]) -> int:
        """Takes the whole chunks; gives their size in bytes."""
        rows: list[Result] = []
        kept = size = 0
        for line in lines:
            size += len(line)
            row = _row(line)
            if row is None:
                break
            if not isinstance(row, _End):
                rows.append(row)
            elif row.results == len(rows):
                self._entries[row.chunk] = _Entry(row.digest, tuple(rows), row.seconds)
                rows, kept = [], size
            else:
                break
        return kept

    def _foreign(self) -> ConfigurationError:
        remedy = "delete it, or choose another name for the output"
        return ConfigurationError(f"{self._path} is the journal of a run with other settings or data: {remedy}")


def _line(row: Mapping[str, Any]) -> bytes:
    return (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _row(line: bytes) -> Result | _End | None:
    """None for a line that was torn."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else {}
        return _End(**row) if "chunk" in row else from_row(row)
    except (ValueError, KeyError, TypeError):
        return None


def _locked(path: Path) -> BinaryIO:
    """The file for reading and writing, whole writes at its end, and for one process at a time."""
    file = path.open("a+b")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise ConfigurationError(f"{path} is in use: wait for the other run, or end it") from None
    file.seek(0)
    return file


@contextmanager
def _using(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "see to the disk and start the same command again; it goes on from here"
        raise ConfigurationError(f"{path} can't be read or written ({error.strerror}): {remedy}") from None
