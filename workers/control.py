"""The control process: a Celery worker whose work is done by loops beside it (see `workers.control_loops`).

python -m workers.control
"""

from __future__ import annotations

import logging
import sys

from domain.errors import ConfigurationError
from messaging.celery_app import CONTROL_QUEUE, DELIVER, make_app
from workers.celery_process import FORMAT, NO_REDIS, CeleryProcess, refuse, settings_or_exit
from workers.control_loops import FINISH_S, Control

settings = settings_or_exit()
app = make_app(settings.redis_url or NO_REDIS, "control", CONTROL_QUEUE)
process = CeleryProcess(app, CONTROL_QUEUE, "control", join_s=FINISH_S + 3.0)
control: Control | None = None


@app.task(name=DELIVER)
def deliver() -> None:
    """A webhook is due. Only wakes the loop."""
    if control is not None:
        process.call(control.wake_webhooks)


def main() -> int:
    """Returns the exit code: 2 when a setting is missing."""
    global control
    logging.basicConfig(format=FORMAT, level=settings.log_level.upper())
    try:
        control = Control(settings)
    except ConfigurationError as error:
        return refuse(error.message)
    return process.serve(control.run, settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
