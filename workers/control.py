"""The control process: a Celery worker whose work is done by loops beside it (see `workers.control_loops`).

    python -m workers.control

The loops start with the process and not with its Redis connection: webhooks and the sweep need Postgres alone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from dataclasses import dataclass

from celery.signals import (  # type: ignore[import-untyped]
    worker_init,
    worker_shutdown,
    worker_shutting_down,
)

from domain.errors import ConfigurationError
from domain.settings import Settings, from_environment
from messaging.celery_app import CONTROL_QUEUE, DELIVER, make_app, worker_arguments
from workers.control_loops import FINISH_S, Control
from workers.loop import LoopThread

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
JOIN_S = FINISH_S + 3.0
NO_REDIS = "redis://127.0.0.1:6379/0"
"""Without a setting this module can be imported, and `main` refuses to run."""

logger = logging.getLogger("deliberate.control")


@dataclass
class Running:
    """This process's loops, once they run."""

    control: Control
    thread: LoopThread


settings: Settings
running: Running | None = None

try:
    settings = from_environment(os.environ)
except ConfigurationError as wrong:
    sys.stderr.write(wrong.message + "\n")
    raise SystemExit(2) from None

app = make_app(settings.redis_url or NO_REDIS, "control", CONTROL_QUEUE)


@app.task(name=DELIVER)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """A webhook is due. Only wakes the loop."""
    if running is not None:
        running.thread.call(running.control.wake_webhooks)


def start(**_: object) -> None:
    global running
    control = Control(settings)
    # The supervisor restarts a control process; one without its loops would be of no use.
    thread = LoopThread(control.run, "control", on_crash=lambda: os.kill(os.getpid(), signal.SIGTERM))
    running = Running(control, thread)
    thread.start()


def ask_to_stop(**_: object) -> None:
    if running is not None:
        running.thread.ask_to_stop()


def stop(**_: object) -> None:
    ask_to_stop()
    if running is not None and not running.thread.join(JOIN_S):
        logger.warning("the loops did not end within %g s", JOIN_S)


def main() -> int:
    """Returns the exit code: 2 when a setting is missing."""
    logging.basicConfig(format=FORMAT, level=settings.log_level.upper())
    try:
        Control(settings)
    except ConfigurationError as error:
        sys.stderr.write(error.message + "\n")
        return 2
    worker_init.connect(start)
    worker_shutting_down.connect(ask_to_stop)
    worker_shutdown.connect(stop)
    app.worker_main(worker_arguments(CONTROL_QUEUE, settings.log_level))
    return 0


if __name__ == "__main__":
    sys.exit(main())
