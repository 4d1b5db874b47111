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

from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from domain.errors import ConfigurationError
from domain.settings import Settings, from_environment
from messaging.celery_app import CONTROL_QUEUE, DELIVER, make_app, worker_arguments
from workers.control_loops import FINISH_S, Control
from workers.loop import LoopThread

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
JOIN_S = FINISH_S + 3.0

logger = logging.getLogger("deliberate.control")


@dataclass
class Running:
    """This process's loops, once they run."""

    control: Control
    thread: LoopThread


running: Running | None = None


def _settings() -> Settings:
    """One line and exit code 2 when a setting is wrong: nobody needs a traceback of that."""
    try:
        settings = from_environment(os.environ)
    except ConfigurationError as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(2) from None
    return settings


def _control() -> Control:
    try:
        return Control(settings)
    except ConfigurationError as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(2) from None


settings = _settings()
app = make_app(settings.redis_url or "redis://127.0.0.1:6379/0", "control", CONTROL_QUEUE)


@app.task(name=DELIVER)  # type: ignore[untyped-decorator]
def deliver() -> None:
    """A webhook is due. Only wakes the loop."""
    if running is not None:
        running.thread.call(running.control.wake_webhooks)


@worker_init.connect  # type: ignore[untyped-decorator]
def start(**_: object) -> None:
    global running
    control = _control()
    # The supervisor restarts a control process that has no loops.
    thread = LoopThread(control.run, "control", on_crash=lambda: os.kill(os.getpid(), signal.SIGTERM))
    running = Running(control, thread)
    thread.start()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def ask_to_stop(**_: object) -> None:
    if running is not None:
        running.thread.ask_to_stop()


@worker_shutdown.connect  # type: ignore[untyped-decorator]
def stop(**_: object) -> None:
    ask_to_stop()
    if running is not None and not running.thread.join(JOIN_S):
        logger.warning("the loops did not end within %g s", JOIN_S)


def main() -> None:
    logging.basicConfig(format=FORMAT, level=settings.log_level.upper())
    _control()
    app.worker_main(worker_arguments(CONTROL_QUEUE, settings.log_level))


if __name__ == "__main__":
    # By its real name: as __main__ this module would exist twice, with two apps and two sets of loops.
    from workers.control import main as main_of_the_real_one

    main_of_the_real_one()
