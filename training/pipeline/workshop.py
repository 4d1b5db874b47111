"""The work folder of a pipeline: one folder a stage, named by everything that decides what comes out of it.

Law: a stage that is done is never done again; one that was killed goes on in its folder; a changed number makes a new
folder for its stage and for all that come after it, and touches no other. One run at a time works in it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError
from training.artifacts.manifest import write_json
from training.progress import say

DONE = "done.json"


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that is done."""

    name: str
    folder: Path
    key: str
    facts: Mapping[str, Any]
    """What it found out; the same in every run."""
    seconds: float
    """Wall time over all starts, as far as it is known."""


Make = Callable[[Path], Mapping[str, Any] | None]
"""Fills the folder and gives facts; a number under `seconds` stands for the time that the call itself took."""


class Workshop:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.stages: list[Stage] = []

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keeps other runs out, until the block or the process ends. Raises ConfigurationError when one is in here, or
        when the folder can't be written, then and later."""
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            with (self._root / "lock").open("w") as lock:
                _take(lock.fileno(), self._root)
                yield
        except OSError as error:
            remedy = "free some space or choose another folder, and start the same command again"
            raise ConfigurationError(f"{self._root} can't be used ({error.strerror or error}): {remedy}") from None

    @property
    def seconds(self) -> float:
        return sum(stage.seconds for stage in self.stages)

    def stage(self, name: str, settings: object, inputs: list[Stage], make: Make) -> Stage:
        """The stage of these settings and inputs; `make` runs where it is not done yet."""
        key = hashlib.sha256(json.dumps([name, repr(settings), [one.key for one in inputs]]).encode()).hexdigest()[:12]
        folder = self._root / f"{name}-{key}"
        found = _read(folder) or self._made(name, folder, make)
        stage = Stage(name, folder, key, found["facts"], found["seconds"])
        self.stages.append(stage)
        return stage

    def _made(self, name: str, folder: Path, make: Make) -> dict[str, Any]:
        say(f"--- {name}")
        folder.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        facts = dict(make(folder) or {})
        seconds = float(facts.pop("seconds", time.monotonic() - began))
        done = {"facts": facts, "seconds": round(seconds, 1)}
        write_json(folder / DONE, done)
        return done


def _take(lock: int, root: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        remedy = "wait for it, or name another folder with --work"
        raise ConfigurationError(f"another run works in {root} now: {remedy}") from None


def _read(folder: Path) -> dict[str, Any] | None:
    """None: it is not done, or the disk has lost what was written of it, so that it is asked for once more."""
    try:
        found = json.loads((folder / DONE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(found, dict) and isinstance(found.get("facts"), dict) and "seconds" in found
    return found if whole else None
