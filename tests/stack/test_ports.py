"""Ports are really free, and a taken one is refused in one line."""

import socket
from collections.abc import Iterator

import pytest

from cli.stack.ports import HIGH, LOOPBACK, LOW, accepts, free_block, is_free, require_free
from domain.errors import ConfigurationError


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server


def test_a_block_lies_below_the_systems_own_range_and_can_be_listened_on() -> None:
    block = free_block(12)
    assert len(block) == 12
    assert block[0] >= LOW
    assert block[-1] < HIGH
    for port in block:
        socket.create_server((LOOPBACK, port)).close()


def test_a_taken_port_is_not_free(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not is_free(LOOPBACK, port)
    with pytest.raises(ConfigurationError, match=f"port {port} on 127.0.0.1 is in use: .*DELIBERATE_PORT"):
        require_free(LOOPBACK, port)


def test_port_zero_takes_a_free_one() -> None:
    assert is_free(LOOPBACK, require_free(LOOPBACK, 0))


async def test_accepts_says_whether_somebody_listens(listener: socket.socket) -> None:
    assert await accepts(LOOPBACK, listener.getsockname()[1])
    assert not await accepts(LOOPBACK, free_block(1)[0])
