"""Who joins the batch: order of arrival, bounds, and patience."""

from __future__ import annotations

from domain.ports import SampleRequest
from inference.engines.admission import Limits, WaitingRoom
from inference.engines.rows import Row
from inference.engines.texts import Pieces, TextReader


def row(key: str, prompt: int = 10, limit: int = 10) -> Row:
    reader = TextReader(Pieces(None), (), ())
    return Row(SampleRequest(key, "", "", 1, limit), tuple(range(prompt)), limit, reader)


def room(limits: Limits, *rows: Row, mergeable: bool = True) -> WaitingRoom:
    waiting = WaitingRoom(limits, mergeable=mergeable)
    for one in rows:
        waiting.add(one)
    return waiting


def keys(rows: list[Row]) -> list[str]:
    return [one.request.key for one in rows]


def test_calls_are_admitted_in_order_of_arrival() -> None:
    waiting = room(Limits(rows=3), *(row(f"k{index}") for index in range(5)))
    assert keys(waiting.admit([])) == ["k0", "k1", "k2"]
    assert keys(waiting.admit([])) == ["k3", "k4"]
    assert waiting.admit([]) == []


def test_a_large_call_is_not_overtaken_and_runs_alone() -> None:
    waiting = room(Limits(rows=8, tokens=100), row("small"), row("large", limit=500), row("last"))
    first = waiting.admit([])
    assert keys(first) == ["small"]
    assert waiting.admit(first) == []
    assert keys(waiting.admit([])) == ["large"]
    assert keys(waiting.admit([])) == ["last"]


def test_one_prefill_is_bounded() -> None:
    waiting = room(Limits(rows=8, prefill_tokens=25), *(row(f"k{index}") for index in range(4)))
    assert keys(waiting.admit([])) == ["k0", "k1"]


def test_free_slots_are_gathered_but_not_for_long() -> None:
    running = [row(f"r{index}") for index in range(63)]
    waiting = room(Limits(rows=64), *(row(f"k{index}") for index in range(20)))
    admitted = [len(waiting.admit(running)) for _ in range(16)]
    assert admitted == [0] * 15 + [1]
    assert len(waiting.admit(running[:50])) == 14


def test_nobody_joins_a_wave() -> None:
    waiting = room(Limits(rows=8), row("k"), mergeable=False)
    assert waiting.admit([row("running")]) == []
    assert keys(waiting.admit([])) == ["k"]


def test_aborted_calls_are_passed_over() -> None:
    rows = [row(f"k{index}") for index in range(4)]
    waiting = room(Limits(rows=8), *rows)
    rows[0].aborted = rows[2].aborted = True
    assert keys(waiting.admit([])) == ["k1", "k3"]
