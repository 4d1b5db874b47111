"""HTTP/1.1 by hand over kept connections: so light that the load's sender does not become what is measured."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

LONGEST_HEAD = 65_536


class Wire:
    """Connections to one server; a request takes a free one or opens one."""

    def __init__(self, host: str, port: int, headers: Mapping[str, str]) -> None:
        self._host, self._port = host, port
        self._headers = {"Host": f"{host}:{port}", **headers}
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def request(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Status and body. Raises OSError or EOFError when the connection fails."""
        reader, writer = await self._connection()
        try:
            writer.write(self._head(method, path, body, headers or {}))
            status, fields = await _answer(reader)
            content = await _content(reader, fields)
        except BaseException:
            writer.close()
            raise
        self._free.append((reader, writer))
        return status, content

    async def stream(self, path: str) -> AsyncIterator[bytes]:
        """The chunks of a streamed answer, as they come; its status must be 200."""
        reader, writer = await self._connect()
        try:
            writer.write(self._head("GET", path, None, {}))
            status, _ = await _answer(reader)
            if status != 200:
                raise OSError(f"the stream was answered with {status}")
            while chunk := await _chunk(reader):
                yield chunk
        finally:
            writer.close()

    async def close(self) -> None:
        for _, writer in self._free:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()  # the server does not keep idle ones for ever
        return await self._connect()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port, limit=LONGEST_HEAD)

    def _head(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        fields = {**self._headers, **headers}
        if body is not None:
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(content))}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode() + content


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split(" ", 2)[1]), fields


async def _content(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> bytes:
    if "chunked" in fields.get("transfer-encoding", ""):
        parts = []
        while chunk := await _chunk(reader):
            parts.append(chunk)
        return b"".join(parts)
    return await reader.readexactly(int(fields.get("content-length", "0")))


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
    data = await reader.readexactly(size + 2)
    return data[:-2]
