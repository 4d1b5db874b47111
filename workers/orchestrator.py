"""The orchestrator process: a Celery worker whose one task wakes one asyncio loop (see `workers.searching`).

    python -m workers.orchestrator

It is a Ray driver and so ends when the Ray head is lost; whoever supervises it starts it again, and the searches go on
from their events.
"""

from __future__ import annotations

import logging
import sys

from domain.errors import DeliberateError
from messaging.celery_app import ORCHESTRATOR_QUEUE, RING, make_app
from workers.celery_process import FORMAT, NO_REDIS, CeleryProcess, refuse, settings_or_exit
from workers.ray_driver import connect
from workers.searching import DRAIN_S, Searching

settings = settings_or_exit()
app = make_app(settings.redis_url or NO_REDIS, "orchestrator", ORCHESTRATOR_QUEUE)
process = CeleryProcess(app, ORCHESTRATOR_QUEUE, "orchestrator", join_s=DRAIN_S + 2.0)
searching: Searching | None = None


@app.task(name=RING)
def ring(job_ids: list[str]) -> None:
    """These jobs have news. Only wakes the loop."""
    if searching is not None:
        process.call(lambda: searching.ring(job_ids))


def main() -> int:
    """Returns the exit code: 2 when a setting is missing or Ray can't be joined."""
    global searching
    logging.basicConfig(format=FORMAT, level=settings.log_level.upper())
    try:
        searching = Searching(settings)
        # Before Celery starts: ray.init puts a SIGTERM handler of its own in place, and Celery's must come after it.
        connect(settings)
    except DeliberateError as error:
        return refuse(error.message)
    return process.serve(searching.run, settings.log_level)


if __name__ == "__main__":
    sys.exit(main())
