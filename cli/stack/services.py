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

from cli.stack.child import BEHIND, Child
from cli.stack.ray_head import NAME as RAY

API, CONTROL, ORCHESTRATOR, ENGINES = "api", "control", "orchestrator", "engines"
GRACE_S = 2
KEEP_ALIVE_S = 75
"""An idle connection is kept for longer than clients and load balancers keep theirs: who closes first is never asked
at the same moment."""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
LOADING_WITHIN_S = 3600.0
"""A first start may download its models."""


def api(host: str, port: int, url: str) -> Child:
    server = ("-m", "uvicorn", "api.app:create_app", "--factory", "--host", host, "--port", str(port))
    times = ("--timeout-graceful-shutdown", str(GRACE_S), "--timeout-keep-alive", str(KEEP_ALIVE_S))
    quiet = ("--no-access-log", "--log-level", "warning")

    async def ready(_: float) -> bool:
        return await asyncio.to_thread(readiness, url) is not None

    return Child(API, (sys.executable, *server, *times, *quiet), ready=ready, ready_every_s=0.1, stop_within_s=2.5)


def control(home: Path) -> Child:
    command = (sys.executable, "-m", "workers.control")
    return Child(CONTROL, command, ready=_beats(home, CONTROL), stop_within_s=2.5, nice=BEHIND)


def orchestrator(home: Path) -> Child:
    command = (sys.executable, "-m", "workers.orchestrator")
    return Child(ORCHESTRATOR, command, ready=_beats(home, ORCHESTRATOR), needs=(RAY,), stop_within_s=9.0, nice=BEHIND)


def engines(home: Path, url: str) -> Child:
    """Ready when the orchestrator has found them, with their models loaded: a large one may take minutes."""
    beats = _beats(home, ENGINES)

    async def ready(since: float) -> bool:
        if not await beats(since):
            return False
        state = await asyncio.to_thread(readiness, url)
        return state is not None and state["checks"].get(ENGINES) == "ok"

    command = (sys.executable, "-m", "workers.gpu")
    return Child(
        ENGINES,
        command,
        ready=ready,
        ready_every_s=0.3,
        ready_within_s=LOADING_WITHIN_S,
        needs=(RAY,),
        stop_within_s=2.5,
    )


def readiness(url: str) -> dict[str, Any] | None:
    """The body of `/readyz`; None while the API can't store jobs."""
    try:
        # Without the proxies of the environment: the service is on this machine.
        with _DIRECT.open(f"{url}/readyz", timeout=3.0) as answer:
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
