"""Sessions on one engine: batches in, batches out, orphans aborted."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import pytest

from domain.errors import EngineError
from domain.ports import SampleRequest, StepScores
from workers.gpu.mailbox import ORPHAN_S, Mailbox, Result, Session


class Host:
    """An EngineHost that answers when it is told to."""

    def __init__(self) -> None:
        self.requests: dict[str, Callable[[Sequence[Result]], None]] = {}
        self.aborted: list[str] = []

    def submit(self, requests: Sequence[SampleRequest], on_done: Callable[[Sequence[Result]], None]) -> None:
        self.requests |= {request.key: on_done for request in requests}

    def abort(self, keys: Iterable[str]) -> None:
        self.aborted += keys

    def answer(self, *keys: str) -> None:
        for key in keys:
            self.requests.pop(key)([StepScores(key, (0.5,), cost=None)])  # type: ignore[arg-type]


def ask(key: str) -> SampleRequest:
    return SampleRequest(key, "?", "", 1, 8)


async def test_one_collect_brings_all_that_has_ended() -> None:
    host = Host()
    session = Mailbox(host).session("a")  # type: ignore[arg-type]
    session.submit([ask("k1"), ask("k2"), ask("k3")])
    host.answer("a/k1", "a/k3")
    assert sorted(result.key for result in await session.collect()) == ["k1", "k3"]
    waiting = asyncio.create_task(session.collect())
    await asyncio.sleep(0.01)
    assert not waiting.done()
    host.answer("a/k2")
    assert [result.key for result in await waiting] == ["k2"]


async def test_sessions_with_the_same_keys_do_not_mix() -> None:
    host = Host()
    mailbox = Mailbox(host)  # type: ignore[arg-type]
    mailbox.session("a").submit([ask("k")])
    mailbox.session("b").submit([ask("k")])
    mailbox.session("b").abort(["k"])
    assert host.aborted == ["b/k"]
    host.answer("a/k")
    assert len(await mailbox.session("a").collect()) == 1


async def test_a_session_that_stopped_collecting_is_aborted() -> None:
    host = Host()
    mailbox = Mailbox(host)  # type: ignore[arg-type]
    gone, alive = mailbox.session("gone"), mailbox.session("alive")
    gone.submit([ask("k1")])
    alive.submit([ask("k2")])
    alive.collected_at = gone.collected_at + ORPHAN_S
    assert mailbox.drop_orphans(gone.collected_at + ORPHAN_S + 1) == 1
    assert host.aborted == ["gone/k1"]
    with pytest.raises(EngineError):
        mailbox.session("gone")
    assert await empty(mailbox.session("gone")), "it hears once that its calls are gone, and begins anew"


async def empty(session: Session) -> bool:
    collecting = asyncio.create_task(session.collect())
    await asyncio.sleep(0.01)
    collecting.cancel()
    return not collecting.done()


async def test_only_the_latest_collect_takes_results() -> None:
    """The earlier one's caller is gone: its message failed on the way, and it asked again."""
    host = Host()
    session = Mailbox(host).session("a")  # type: ignore[arg-type]
    session.submit([ask("k")])
    old = asyncio.create_task(session.collect())
    await asyncio.sleep(0.01)
    new = asyncio.create_task(session.collect())
    await asyncio.sleep(0.01)
    host.answer("a/k")
    assert ([result.key for result in await new], await old) == (["k"], [])
