"""The doorbell: tells another process that Postgres has news for it. It may be lost, it may not block its caller.

The relay rings it with rows of the outbox; a `ring` that raises leaves the rows where they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, TypeAlias

from domain.errors import Unavailable
from messaging.celery_app import (
    CONTROL_QUEUE,
    DELIVER,
    ORCHESTRATOR_QUEUE,
    RING,
    TRANSPORT_OPTIONS,
    make_app,
    queue_named,
)
from messaging.outage import describe

BOUND_S = 2.0
"""Longest time that one ring takes, also while Redis hangs."""
IDS_PER_MESSAGE = 500
MOST_WAITING = 1000
"""Messages that nobody has taken yet. More would say nothing new: whoever takes one looks at Postgres for all."""

Message: TypeAlias = tuple[str, str, list[Any]]
"""Task, queue, arguments."""


class Doorbell:
    """A Celery producer behind one thread, since kombu's sockets block."""

    def __init__(self, redis_url: str, bound_s: float = BOUND_S) -> None:
        self._app = make_app(redis_url, "doorbell")
        # Shorter than the bound, so that the thread is free again when its caller has given up.
        timeout_s = bound_s / 2
        self._app.conf.broker_transport_options = TRANSPORT_OPTIONS | {"socket_timeout": timeout_s}
        self._bound_s = bound_s
        self._thread = ThreadPoolExecutor(1, "doorbell")

    async def ring(self, job_ids: Iterable[str]) -> None:
        """Wake the orchestrators for these jobs, many ids to a message. Raises Unavailable within `bound_s`."""
        unique = iter(dict.fromkeys(job_ids))
        messages: list[Message] = []
        while chunk := list(islice(unique, IDS_PER_MESSAGE)):
            messages.append((RING, ORCHESTRATOR_QUEUE, [chunk]))
        if messages:
            await self._bounded(lambda: self._publish(messages))

    async def deliver(self) -> None:
        """Wake a delivery loop: a webhook is due. Raises Unavailable within `bound_s`."""
        await self._bounded(lambda: self._publish([(DELIVER, CONTROL_QUEUE, [])]))

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._app.close()

    async def _bounded(self, publish: Callable[[], None]) -> None:
        call = asyncio.get_running_loop().run_in_executor(self._thread, publish)
        try:
            await asyncio.wait_for(call, self._bound_s)
        except TimeoutError:
            raise Unavailable("Redis does not answer: is it running?") from None
        except Exception as error:
            # kombu lets errors of several libraries through; whatever it was, the bell did not ring.
            raise Unavailable(f"the doorbell could not be rung ({describe(error)})") from None

    def _publish(self, messages: list[Message]) -> None:
        with self._app.producer_pool.acquire(block=True, timeout=self._bound_s) as producer:
            for task, queue, arguments in messages:
                if _waiting(producer, queue) >= MOST_WAITING:
                    continue
                # Nothing to declare: the anonymous exchange needs no bindings.
                self._app.send_task(
                    task, arguments, queue=queue, producer=producer, declare=[], argsrepr="", retry=False
                )


def _waiting(producer: Any, queue: str) -> int:
    """Length of the queue. Declaring makes nothing in Redis; it is kombu's public way to ask."""
    return int(queue_named(queue)(producer.channel).queue_declare().message_count)
