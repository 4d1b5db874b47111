"""The embedded Ray head: its own token, folder and ports, on loopback, without dashboard, autoscaler and statistics.

It is ended by its process session, never by `ray stop`, which would end every Ray of this user.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from cli.stack.child import BEHIND, Child
from cli.stack.ports import LOOPBACK, accepts, free_block
from cli.stack.secrets import keep, password
from cli.stack.wheels import ray_program

NAME = "ray"
OBJECT_STORE_BYTES = 128 * 1024 * 1024
"""Only prompts and completions cross, inside of calls; the store itself stays almost empty."""
WORKER_PORTS = 100


class EmbeddedRay:
    def __init__(self, home: Path, runtime: Path) -> None:
        self._logs = home / "logs"
        # Sockets lie below it, and a socket's path is limited to about 100 characters.
        self._folder = runtime / "ray"
        self._token = home / "run" / "ray_token"
        keep(self._token, password)
        self._ports = free_block(8 + WORKER_PORTS)
        self._program = ray_program()

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self._ports[0]}"

    @property
    def env(self) -> dict[str, str]:
        """For every process that joins this Ray."""
        return {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self._token),
            "RAY_USAGE_STATS_ENABLED": "0",
            # Ray's workers are nice to everybody by default (15): the engines would be pushed aside by each wake-up.
            "RAY_worker_niceness": "0",
            # Without this Ray replaces 127.0.0.1 by an address of the network, and listens there.
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        }

    async def prepare(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def child(self) -> Child:
        return Child(NAME, self._command(), ready=self._ready, stop_within_s=2.0, nice=BEHIND)

    def keep_logs(self) -> None:
        """Copy the logs of Ray's own processes to DELIBERATE_HOME before its folder goes."""
        kept = self._logs / "ray"
        shutil.rmtree(kept, ignore_errors=True)
        latest = self._folder / "session_latest" / "logs"
        if latest.is_dir():
            shutil.copytree(latest, kept, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.sock"))

    def _command(self) -> tuple[str, ...]:
        gcs, objects, nodes, http, grpc, environments, metrics, dashboard, *workers = self._ports
        options = {
            "node-ip-address": LOOPBACK,
            "port": gcs,
            "object-manager-port": objects,
            "node-manager-port": nodes,
            "dashboard-agent-listen-port": http,
            "dashboard-agent-grpc-port": grpc,
            "runtime-env-agent-port": environments,
            "metrics-export-port": metrics,
            "dashboard-port": dashboard,
            "min-worker-port": workers[0],
            "max-worker-port": workers[-1],
            "include-dashboard": "false",
            "include-log-monitor": "false",
            "object-store-memory": OBJECT_STORE_BYTES,
            "num-cpus": cores(),
            "temp-dir": self._folder,
        }
        flags = ("--head", "--block", "--no-monitor", "--disable-usage-stats")
        return (str(self._program), "start", *flags, *(f"--{name}={value}" for name, value in options.items()))

    async def _ready(self, _: float) -> bool:
        """The head (GCS) and this machine's node manager both listen; `ray start` itself stays when the latter dies."""
        return await accepts(LOOPBACK, self._ports[0]) and await accepts(LOOPBACK, self._ports[2])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
