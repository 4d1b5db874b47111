"""Opens a webhook's connection: resolve once, check every address that came back, dial exactly a checked one.

A name that changes its address between check and use (DNS rebinding) gains nothing, since nothing resolves it again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

import httpcore

from messaging.addresses import Address, Networks, may_dial

MOST_ADDRESSES = 4
"""Addresses of one name that are tried, one after the other."""

Resolve = Callable[[str, int], Awaitable[list[Address]]]

# Its own threads: a resolver that hangs must not hold up whatever else the loop's default threads do.
_THREADS = ThreadPoolExecutor(16, "resolver")


class Refused(Exception):
    """The name leads to an address to which webhooks may not go."""


async def resolve_by_system(host: str, port: int) -> list[Address]:
    """All addresses of a name. Raises OSError when it has none."""

    def look_up() -> list[Any]:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)

    found = await asyncio.get_running_loop().run_in_executor(_THREADS, look_up)
    return list(dict.fromkeys(ip_address(entry[4][0]) for entry in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network for one attempt, with the check at the only place that opens a socket."""

    def __init__(self, allowed: Networks, resolve: Resolve = resolve_by_system) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._inner = httpcore.AnyIOBackend()
        self._opened: list[httpcore.AsyncNetworkStream] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 (the interface of httpcore)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError("the name has no address")
        for address in (await self._checked(host, port))[:MOST_ADDRESSES]:
            try:
                stream = await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                self._opened.append(stream)
                return stream
        raise failure

    async def close(self) -> None:
        """httpcore leaves a socket open when it is cancelled in a TLS handshake; nothing stays open after this."""
        for stream in self._opened:
            await stream.aclose()

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        raise Refused

    async def _checked(self, host: str, port: int) -> list[Address]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name can't be resolved") from error
        if not all(may_dial(address, self._allowed) for address in addresses):
            raise Refused
        return addresses
