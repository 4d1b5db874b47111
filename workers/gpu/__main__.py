"""The `engines` process: `python -m workers.gpu`. It makes the fleet, keeps it, and ends it on SIGTERM."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading

from domain.errors import DeliberateError
from domain.settings import Settings, from_environment
from workers.gpu.fleet import Fleet
from workers.heartbeat import Heartbeat
from workers.ray_driver import connect

log = logging.getLogger("engines")

RECONCILE_S = 5.0


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        return _serve(from_environment(os.environ))
    except DeliberateError as error:
        log.error("%s", error.message)
        return 2


def _serve(settings: Settings) -> int:
    stopping = threading.Event()
    connect(settings)
    # After ray.init, which installs a SIGTERM handler of its own.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    fleet, heartbeat = Fleet(settings), Heartbeat(settings.home, "engines")
    while not stopping.is_set():
        fleet.reconcile()
        for name, described in fleet.loaded(timeout_s=1.0):
            log.info("%s serves %s in process %d", name, described.info.id, described.pid)
        heartbeat.beat()
        if fleet.complete:
            stopping.wait(RECONCILE_S)
    fleet.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())
