"""What is known of a running stack, in DELIBERATE_HOME/run: for other commands, and for the next start after a crash.

`stack.json` says where the stack is; `processes.json` lists every process it started. Both go when the stack stops.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cli.stack import sessions
from cli.stack.secrets import write_private
from cli.stack.sessions import Seen

MARK = "DELIBERATE_STACK"
"""Variable in the environment of every process of a stack; its value is the stack's random run id."""
RUNTIME_PREFIX = "deliberate-"


@dataclass(frozen=True, slots=True)
class StackInfo:
    """Where a running stack is."""

    run_id: str
    pid: int
    url: str
    runtime: str
    """Short folder of its sockets, outside of DELIBERATE_HOME; empty when there is none."""
    ray_address: str | None


class Record:
    def __init__(self, home: Path) -> None:
        self._folder = home / "run"
        self._stack = self._folder / "stack.json"
        self._processes = self._folder / "processes.json"
        self._last: list[Seen] = []

    def write(self, info: StackInfo) -> None:
        write_private(self._stack, json.dumps(asdict(info)))

    def read(self) -> StackInfo | None:
        data = _read(self._stack)
        try:
            return StackInfo(**data)
        except TypeError:
            return None

    def write_processes(self, processes: Iterable[Seen]) -> None:
        """Written only when it changed: it is called every second."""
        now = sorted(processes, key=lambda seen: seen.pid)
        if now != self._last:
            write_private(self._processes, json.dumps([asdict(seen) for seen in now]))
            self._last = now

    def processes(self) -> list[Seen]:
        data = _read(self._processes)
        try:
            return [Seen(**item) for item in data]
        except TypeError:
            return []

    def clear(self) -> None:
        self._stack.unlink(missing_ok=True)
        self._processes.unlink(missing_ok=True)


def clean_up(home: Path, grace_s: float = 5.0) -> list[Seen]:
    """End what a killed stack left behind; call it with the home's lock held. Gives the processes that it ended."""
    record = Record(home)
    info = record.read()
    found = set(record.processes())
    if info is not None:
        found.update(sessions.marked(MARK, info.run_id))
    ended = sessions.end(found, grace_s)
    if info is not None:
        remove_runtime(info.runtime)
    record.clear()
    return ended


def remove_runtime(folder: str) -> None:
    """Remove a stack's folder of sockets; only ever one that a stack made."""
    path = Path(folder)
    if folder and path.name.startswith(RUNTIME_PREFIX) and path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
