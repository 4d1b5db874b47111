"""Free loopback ports, taken from below the system's own range so that no outgoing connection grabs one in between."""

from __future__ import annotations

import random
import socket

from domain.errors import ConfigurationError

LOOPBACK = "127.0.0.1"
LOW, HIGH = 20_000, 32_000


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_block(count: int) -> range:
    """`count` neighbouring ports on loopback that are free now. Raises ConfigurationError when there are none."""
    for _ in range(200):
        first = random.randrange(LOW, HIGH - count)
        if all(is_free(LOOPBACK, port) for port in range(first, first + count)):
            return range(first, first + count)
    raise ConfigurationError(f"no {count} free ports from {LOW} to {HIGH} on loopback: stop some servers")


def require_free(host: str, port: int) -> int:
    """The port to serve on (a free one for 0). Raises ConfigurationError when it is taken."""
    if port == 0:
        return free_block(1)[0]
    if not is_free(host, port):
        raise ConfigurationError(
            f"port {port} on {host} is in use: stop what uses it, or set DELIBERATE_PORT to another"
        )
    return port


async def accepts(host: str, port: int) -> bool:
    """Whether something listens there."""
    import asyncio

    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
