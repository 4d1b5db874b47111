"""A server that is told to end first waits for open requests, and a long poll may stay open for a minute.

So the signal also ends the long polls: they answer with the job as it is.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def on_shutdown_signal(drain: Callable[[], None]) -> Iterator[None]:
    """Calls `drain` on the running loop before the server's own handler; does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(drain)
        if callable(before[number]):
            before[number](number, frame)

    for number in SIGNALS:
        if callable(before[number]):
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number in SIGNALS:
            # Somebody who took the signal over after us keeps it.
            if signal.getsignal(number) is handle:
                signal.signal(number, before[number])
