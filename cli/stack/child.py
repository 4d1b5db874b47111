"""What the supervisor must know of a part of the stack to run it."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")
CONFIGURATION_EXIT = 2
"""A process of ours ends with this code when a setting is wrong: starting it again would not help."""
BEHIND = 5
"""Niceness of what works on jobs, as against what takes and shows them: a third of the time where all want it."""


async def _at_once(_: float) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    """Beside the environment that all children get."""
    ready: Callable[[float], Awaitable[bool]] = _at_once
    """Asked again and again after each start (given as Unix seconds), until it says yes."""
    ready_every_s: float = 0.05
    ready_within_s: float = 60.0
    needs: tuple[str, ...] = ()
    """Children without which it can't go on: when one of them dies, it is ended too, and starts again after it."""
    stop_signal: str = "SIGTERM"
    stop_within_s: float = 3.0
    """After this time the whole session is killed."""
    user: str | None = None
    """To run as, when we are root."""
    cwd: Path | None = None
    nice: int = 0
    """Above 0: it yields to the others. Who asks is answered before the search goes on."""


def launch_command(child: Child) -> list[str]:
    """The command line of the launcher, which becomes the child."""
    user = child.user if child.user is not None and os.geteuid() == 0 else "-"
    return [
        sys.executable,
        "-I",
        "-S",
        str(LAUNCHER),
        str(os.getpid()),
        child.stop_signal,
        user,
        str(child.nice),
        *child.command,
    ]
