"""The processes of the service itself, as children of the supervisor; they say themselves when they are ready."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from cli.stack.child import Child
from cli.stack.ray_head import NAME as RAY

API, CONTROL, ORCHESTRATOR, ENGINES = "api", "control", "orchestrator", "engines"
GRACE_S = 2


def api(host: str, port: int, url: str) -> Child:
    server = ("-m", "uvicorn", "api.app:create_app", "--factory", "--host", host, "--port", str(port))
    quiet = ("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", str(GRACE_S))

    async def ready(_: float) -> bool:
        return await asyncio.to_thread(readiness, url) is not None

    return Child(API, (sys.executable, *server, *quiet), ready=ready, stop_within_s=2.5)


def control(home: Path) -> Child:
    return Child(CONTROL, (sys.executable, "-m", "workers.control"), ready=_beats(home, CONTROL), stop_within_s=2.5)


def orchestrator(home: Path) -> Child:
    command = (sys.executable, "-m", "workers.orchestrator")
    return Child(
        ORCHESTRATOR, command, ready=_beats(home, ORCHESTRATOR), ready_within_s=60.0, needs=(RAY,), stop_within_s=9.0
    )


def engines(home: Path) -> Child:
    """Ready when its loop turns: loading a large model may take minutes, and the stack takes jobs meanwhile."""
    command = (sys.executable, "-m", "workers.gpu")
    return Child(ENGINES, command, ready=_beats(home, ENGINES), ready_within_s=60.0, needs=(RAY,), stop_within_s=2.5)


def readiness(url: str) -> dict[str, Any] | None:
    """The body of `/readyz`; None while the API can't store jobs."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=3.0) as answer:
            body: dict[str, Any] = json.load(answer)
            return body
    except (urllib.error.URLError, OSError, ValueError):
        return None


def _beats(home: Path, name: str) -> Callable[[float], Awaitable[bool]]:
    """Whether the process touched its heartbeat file since it was started."""
    path = home / "run" / f"{name}.heartbeat"

    async def ready(since: float) -> bool:
        try:
            return path.stat().st_mtime > since
        except FileNotFoundError:
            return False

    return ready
