"""Everything that a child started, found by its session: a child is a session leader, and its descendants stay in it.

Law: no signal goes to a process that is not proved to be ours. A live leader proves its session; after its death the
members do that were recorded while it lived (pid, creation time and executable).
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

CLOCK_SLACK_S = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A process as it was when it was recorded."""

    pid: int
    created: float
    """Unix seconds."""
    exe: str


def look(pid: int) -> Seen | None:
    """The process with this pid now; None when there is none, it is a zombie, or it is not ours to see."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Seen(pid, process.create_time(), process.exe())
    except psutil.Error:
        return None


def is_same(seen: Seen) -> bool:
    """Whether that very process still runs. Its executable may have been a launcher's when it was recorded."""
    now = look(seen.pid)
    return now is not None and abs(now.created - seen.created) < CLOCK_SLACK_S and now.exe == seen.exe


def members(session: int | None) -> list[int]:
    """Pids of the processes in this session, its leader included."""
    return [] if session is None else [pid for pid in psutil.pids() if session_of(pid) == session]


def members_of(sessions: Iterable[int]) -> dict[int, list[int]]:
    """The same for many sessions, in one walk over all processes."""
    found: dict[int, list[int]] = {session: [] for session in sessions}
    for pid in psutil.pids():
        session = session_of(pid)
        if session in found:
            found[session].append(pid)
    return found


def send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def end(processes: Iterable[Seen], grace_s: float) -> list[Seen]:
    """Terminate, wait up to `grace_s`, kill what is left; gives those that were ended."""
    alive = [seen for seen in processes if is_same(seen)]
    send([seen.pid for seen in alive], signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    left = alive
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [seen for seen in left if is_same(seen)]
    send([seen.pid for seen in left], signal.SIGKILL)
    return alive


def marked(variable: str, value: str) -> list[Seen]:
    """Processes whose environment was started with this variable: the ones too young to have been recorded."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            environment: Mapping[str, str] = process.environ()
        except (psutil.Error, OSError):
            continue
        seen = look(process.pid) if environment.get(variable) == value else None
        if seen is not None:
            found.append(seen)
    return found


def session_of(pid: int) -> int | None:
    """The session's number (its leader's pid); None when the process is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return None
