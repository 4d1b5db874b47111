"""A server between client and service that passes everything on and keeps the first answers to a POST for itself."""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "keep-alive"})


@dataclass
class Loser:
    """`with Loser(url, 2) as loser: loser.url`. What nobody got had been answered: the service has committed it."""

    service: str
    losses: int
    silence_s: float = 3.0
    """Longer than its client waits."""
    lost: list[int] = field(default_factory=list)
    """Statuses of the answers that nobody got."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Loser:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(loser: Loser) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, headers, body = _passed_on(loser.service, self)
            if len(loser.lost) < loser.losses:
                loser.lost.append(status)
                time.sleep(loser.silence_s)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None: ...

    return Handler


def _passed_on(service: str, request: BaseHTTPRequestHandler) -> tuple[int, list[tuple[str, str]], bytes]:
    """The service's whole answer to this request."""
    address = urlsplit(service)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    body = request.rfile.read(int(request.headers.get("content-length", "0")))
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    connection.request("POST", request.path, body, headers)
    answer = connection.getresponse()
    found = answer.status, answer.getheaders(), answer.read()
    connection.close()
    return found
