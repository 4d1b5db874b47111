"""A webhook receiver on loopback, which keeps what arrives byte for byte, and an endpoint that leads to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from harness import Bench, same

RESPONSE_TYPES = tuple(f"response.{end}" for end in ("completed", "incomplete", "failed", "cancelled"))
BATCH_TYPES = tuple(f"batch.{end}" for end in ("completed", "failed", "expired", "cancelled"))
TYPES = (*RESPONSE_TYPES, *BATCH_TYPES)


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


class Endpoint:
    """An endpoint for as long as a check takes. Clients before 3.x make it by a plain POST."""

    def __init__(self, bench: Bench, url: str, types: tuple[str, ...] = TYPES) -> None:
        self.client = bench.client()
        body = {"name": "check", "url": url, "event_types": list(types)}
        made: Any = self.client.post("/webhook_endpoints", body=body, cast_to=object)
        self.id, self.secret = made["id"], made["signing_secret"]

    def rotated(self, **body: Any) -> str:
        made: Any = self.client.post(f"/webhook_endpoints/{self.id}/rotate_secret", body=body, cast_to=object)
        return str(made["signing_secret"])

    def tested(self, event_type: str) -> dict[str, Any]:
        body = {"event_type": event_type}
        return dict(self.client.post(f"/webhook_endpoints/{self.id}/test", body=body, cast_to=object))

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.delete(f"/webhook_endpoints/{self.id}", cast_to=object)


def about(id: str) -> Callable[[Delivery], bool]:
    return lambda delivery: json.loads(delivery.body)["data"]["id"] == id


def unwrapped(client: Any, delivery: Delivery, secret: str) -> Any:
    """By the client's own code, from the bytes and headers as they came; the event has the type that it names."""
    client.webhooks.verify_signature(delivery.body, delivery.headers, secret=secret)
    event = client.webhooks.unwrap(delivery.body, delivery.headers, secret=secret)
    same((type(event).model_validate(event.to_dict()).type, event.object), (event.type, "event"))
    same(type(event).__name__.lower(), event.type.replace(".", "") + "webhookevent")
    return event
