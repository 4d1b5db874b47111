"""Server-sent events from bytes (the HTML standard's "event stream interpretation"), without any network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from client.shapes import Event, read

_LINE_END = re.compile(rb"\r\n|\r|\n")


class Parser:
    """Feed it what comes; it gives whole events. `last_id` is where a new connection goes on."""

    def __init__(self, last_id: str | None = None) -> None:
        self.last_id = last_id
        self._rest = b""
        self._data: list[str] = []
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        self._rest += chunk
        # A lone CR at the end may be the first half of a CRLF.
        keep = b"\r" if self._rest.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(self._rest[: len(self._rest) - len(keep)])
        self._rest = rest + keep
        for line in lines:
            event = self._line(line.decode("utf-8", "replace"))
            if event is not None:
                yield event

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatched()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\x00" not in value:
            self._id = value
        return None

    def _dispatched(self) -> Event | None:
        data, self._data = "\n".join(self._data), []
        if not data:
            return None
        self.last_id = self._id
        return read(Event, json.loads(data) | {"id": self._id})
