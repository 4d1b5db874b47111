"""A process that is a Celery worker in its main thread and one asyncio loop beside it.

The loop starts with the process and not with its Redis connection: what it does, it does from Postgres. Celery only
brings the bells. On SIGTERM the loop is asked to stop at once, and has `join_s` seconds to end in good order.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable

from celery import Celery
from celery.signals import worker_init, worker_shutdown, worker_shutting_down

from domain.errors import ConfigurationError
from domain.settings import Settings, from_environment
from messaging.celery_app import worker_arguments
from workers.loop import LoopThread, Main

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
NO_REDIS = "redis://127.0.0.1:6379/0"
"""Without a setting the module of a process can be imported, and its `main` refuses to run."""

logger = logging.getLogger("deliberate.workers")


def settings_or_exit() -> Settings:
    """Our settings; a wrong one is one line on stderr and exit code 2."""
    try:
        return from_environment(os.environ)
    except ConfigurationError as wrong:
        raise SystemExit(refuse(wrong.message)) from None


def refuse(message: str) -> int:
    """Say why this process does not start; its exit code."""
    sys.stderr.write(message + "\n")
    return 2


class CeleryProcess:
    def __init__(self, app: Celery, queue: str, name: str, join_s: float) -> None:
        self._app, self._queue, self._name, self._join_s = app, queue, name, join_s
        self._thread: LoopThread | None = None

    def call(self, function: Callable[[], object]) -> None:
        """Run `function` on the loop soon; nothing before the start and after the end."""
        if self._thread is not None:
            self._thread.call(function)

    def serve(self, main: Main, log_level: str) -> int:
        """Until a signal, or until `main` fails: a worker without its loop would be of no use. The exit code."""

        def start(**_: object) -> None:
            self._thread = LoopThread(main, self._name, on_crash=lambda: os.kill(os.getpid(), signal.SIGTERM))
            self._thread.start()

        worker_init.connect(start, weak=False)
        worker_shutting_down.connect(self._ask_to_stop)
        worker_shutdown.connect(self._stop)
        self._app.worker_main(worker_arguments(self._queue, log_level))
        return 0

    def _ask_to_stop(self, **_: object) -> None:
        if self._thread is not None:
            self._thread.ask_to_stop()

    def _stop(self, **_: object) -> None:
        self._ask_to_stop()
        if self._thread is not None and not self._thread.join(self._join_s):
            logger.warning("%s: the loop did not end within %g s", self._name, self._join_s)
