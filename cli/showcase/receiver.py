"""Receives webhooks on loopback for the demo, and verifies their signatures as any receiver should."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

LONGEST_BODY = 1 << 20


class Receiver:
    """`with Receiver() as receiver: … receiver.url … receiver.wait(secret)`."""

    def __init__(self) -> None:
        self._received: list[tuple[dict[str, str], bytes]] = []
        self._arrived = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/webhook"

    def verified(self, secret: str, within_s: float) -> str | None:
        """The id of a delivery whose signature is right; None when none came in time."""
        from standardwebhooks.webhooks import Webhook, WebhookVerificationError

        if not self._arrived.wait(within_s):
            return None
        for headers, body in self._received:
            try:
                Webhook(secret).verify(body, headers)
            except WebhookVerificationError:
                continue
            return headers["webhook-id"]
        return None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        received, arrived = self._received, self._arrived

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = min(int(self.headers.get("content-length", "0")), LONGEST_BODY)
                body = self.rfile.read(length)
                received.append(({name.lower(): value for name, value in self.headers.items()}, body))
                arrived.set()
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """A demo's console is not an access log."""

        return Handler
