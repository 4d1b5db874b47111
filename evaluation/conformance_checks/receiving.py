"""A webhook receiver on loopback: keeps what arrives, byte for byte, and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Delivery:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """`with Receiver() as receiver: receiver.url`. Answers 200 but for the statuses in `next`, taken first."""

    next: list[int] = field(default_factory=list)
    received: list[Delivery] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook"

    def __enter__(self) -> Receiver:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, holds: Callable[[Delivery], bool], number: int = 1, within_s: float = 60.0) -> list[Delivery]:
        """The deliveries that are so, once there are this many. Raises AssertionError after the time."""
        deadline = time.monotonic() + within_s
        while len(found := [one for one in list(self.received) if holds(one)]) < number:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(found)} of {number} deliveries; received {len(self.received)} in all")
            time.sleep(0.05)
        return found


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.received.append(Delivery(dict(self.headers.items()), body))
            self.send_response(receiver.next.pop(0) if receiver.next else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None: ...

    return Handler
