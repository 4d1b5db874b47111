"""A real stack for a benchmark: `deliberate up` as a user starts it, in a home of its own, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from domain.errors import Unavailable

START_S = 120.0
STOP_S = 40.0


@dataclass(frozen=True, slots=True)
class RunningStack:
    url: str
    api_key: str
    process: psutil.Process

    def client(self, timeout_s: float = 90.0) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        limits = httpx.Limits(max_connections=200)
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=timeout_s, limits=limits, trust_env=False)


@contextlib.contextmanager
def running_stack(settings: dict[str, str]) -> Iterator[RunningStack]:
    """Start with these extra `DELIBERATE_*` settings; wait until it is ready; stop it at the end.

    Raises Unavailable when it does not come up.
    """
    with tempfile.TemporaryDirectory(prefix="dlb-") as folder:
        port, home = _free_port(), Path(folder)
        env = os.environ | settings | {"DELIBERATE_HOME": folder, "DELIBERATE_PORT": str(port)}
        with (home / "up.log").open("w") as log:
            command = [sys.executable, "-m", "cli.main", "up"]
            process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_until_ready(url, process, home)
            yield RunningStack(url, (home / "api_key").read_text().strip(), psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_S)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            ready = httpx.get(f"{url}/readyz", timeout=2.0, trust_env=False)
            if ready.status_code == 200 and ready.json().get("status") == "ready":
                return
        time.sleep(0.25)
    raise Unavailable("the stack did not come up; it said:\n" + (home / "up.log").read_text()[-2000:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
