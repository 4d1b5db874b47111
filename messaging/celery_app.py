"""How we use Celery: as a doorbell. Nothing that matters is in it, and losing all of it costs seconds.

So: tasks are acknowledged early, carry ids only, keep no results and are never delayed. Queues are reached through the
anonymous exchange (the routing key *is* the queue's name): unlike a named exchange, it needs no binding sets in Redis,
so that publishing still reaches the queue after a FLUSHALL.
"""

from __future__ import annotations

import logging
from typing import Any

from celery import Celery  # type: ignore[import-untyped]
from kombu import Exchange, Queue  # type: ignore[attr-defined]

from messaging.redis_url import TIMEOUT_S, broker_url

CONTROL_QUEUE = "deliberate.control"
ORCHESTRATOR_QUEUE = "deliberate.orchestrator"

RING = "deliberate.ring"
"""Task of the orchestrator: `ring(job_ids: list[str])`. These jobs have news; Postgres says what."""
DELIVER = "deliberate.deliver"
"""Task of control: `deliver()`. A webhook is due; Postgres says which."""

TRANSPORT_OPTIONS: dict[str, Any] = {
    "socket_timeout": 2 * TIMEOUT_S,
    "socket_connect_timeout": TIMEOUT_S,
    "socket_keepalive": True,
    "retry_on_timeout": False,
    # Also the time after which kombu drops a silent BRPOP connection; 25 s by default.
    "health_check_interval": 5,
    # Of messages taken but not acknowledged. Ours are acknowledged before they run, so that only a crash in between
    # leaves one, and the sweeper has rung again long before.
    "visibility_timeout": 3600,
    # kombu's own retries while connecting: our callers bound and repeat their calls themselves.
    "max_retries": 0,
}


# These tell of every single message; a doorbell that rings is no news.
for _chatty in ("celery.worker.strategy", "celery.app.trace"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


def make_app(redis_url: str, name: str, queue: str | None = None) -> Celery:
    """A Celery app in our configuration. `queue` is what its worker consumes; None for a producer only."""
    app = Celery(name, broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        broker_connection_max_retries=None,
        broker_connection_retry=True,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=2 * TIMEOUT_S,
        broker_transport_options=TRANSPORT_OPTIONS,
        enable_utc=True,
        result_backend=None,
        task_acks_late=False,
        task_default_queue=queue or CONTROL_QUEUE,
        task_ignore_result=True,
        task_publish_retry=False,
        task_queues=_queues(queue),
        task_serializer="json",
        # Would cancel tasks that are acknowledged late, of which there are none; unset, Celery warns at each loss.
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_concurrency=2,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_pool="threads",
        worker_prefetch_multiplier=16,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app


def worker_arguments(queue: str, log_level: str = "info") -> list[str]:
    """Arguments of `app.worker_main`: a worker that talks to nobody but its queue."""
    return [
        "worker",
        "--pool=threads",
        "--concurrency=2",
        f"--queues={queue}",
        f"--loglevel={log_level}",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    ]


def _queues(queue: str | None) -> tuple[Queue, ...]:
    names = (CONTROL_QUEUE, ORCHESTRATOR_QUEUE) if queue is None else (queue,)
    return tuple(queue_named(name) for name in names)


def queue_named(name: str) -> Any:
    """A kombu queue behind the anonymous exchange."""
    return Queue(name, Exchange(""), routing_key=name)  # type: ignore[no-untyped-call]
