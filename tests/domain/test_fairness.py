"""The pure rules of sharing: slots by weight with a reserve for newcomers, calls by start-time fair queueing."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.fairness import Demand, FairQueue, share_out


def test_slots_go_by_weight() -> None:
    demands = {"a": Demand(1, 0, 100), "b": Demand(3, 0, 100)}
    assert share_out(40, 0, demands) == {"a": 10, "b": 30}


def test_who_runs_little_goes_first_until_all_are_even() -> None:
    assert share_out(4, 0, {"big": Demand(1, 10, 1000), "small": Demand(1, 0, 3)}) == {"small": 3, "big": 1}


def test_nobody_gets_more_than_it_waits_for() -> None:
    assert share_out(10, 0, {"a": Demand(1, 0, 2), "b": Demand(1, 0, 0), "c": Demand(1, 5, 1)}) == {"a": 2, "c": 1}


def test_the_last_slots_are_for_tenants_that_run_little() -> None:
    """With 64 slots of which 8 are reserved: alone, a tenant gets 56; a newcomer then finds room at once."""
    assert share_out(64, 8, {"big": Demand(1, 0, 1000)}) == {"big": 56}
    assert share_out(8, 8, {"big": Demand(1, 56, 1000)}) == {}
    assert share_out(8, 8, {"big": Demand(1, 56, 900), "small": Demand(1, 0, 50)}) == {"small": 4}


def test_a_small_worker_reserves_nothing_and_one_slot_is_enough() -> None:
    assert share_out(1, 0, {"a": Demand(1, 9, 1)}) == {"a": 1}
    assert share_out(1, 1, {"new": Demand(0.001, 0, 1)}) == {"new": 1}


DEMANDS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.builds(Demand, st.floats(0.01, 1000), st.integers(0, 300), st.integers(0, 300)),
)


@given(st.integers(0, 300), st.integers(0, 40), DEMANDS)
def test_a_plan_fits_room_and_demand(room: int, reserved: int, demands: dict[str, Demand]) -> None:
    plan = share_out(room, reserved, demands)
    assert sum(plan.values()) <= room
    assert all(0 < number <= demands[name].waiting for name, number in plan.items())
    if room > reserved:
        waiting = sum(demand.waiting for demand in demands.values())
        assert sum(plan.values()) >= min(room - reserved, waiting), "no slot stays free that is not reserved"


def filled(calls: dict[str, int], weights: dict[str, float] | None = None) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue()
    for tenant, number in calls.items():
        for _ in range(number):
            queue.push(tenant, (weights or {}).get(tenant, 1.0), 0, 10.0, tenant)
    return queue


def popped(queue: FairQueue[str], number: int) -> list[str]:
    return [item for item in (queue.pop() for _ in range(number)) if item is not None]


def test_a_hundred_calls_before_do_not_make_one_wait() -> None:
    queue = filled({"big": 100})
    popped(queue, 5)
    queue.push("small", 1.0, 0, 10.0, "small")
    assert "small" in popped(queue, 2)


def test_calls_go_by_weight_and_cost() -> None:
    assert Counter(popped(filled({"a": 400, "b": 400}, {"b": 3.0}), 100)) == {"a": 25, "b": 75}
    queue: FairQueue[str] = FairQueue()
    for _ in range(100):
        queue.push("long", 1.0, 0, 30.0, "long")
        queue.push("short", 1.0, 0, 10.0, "short")
    assert Counter(popped(queue, 80)) == {"long": 20, "short": 60}


def test_who_was_idle_has_saved_nothing_up() -> None:
    queue = filled({"busy": 100, "idle": 1})
    popped(queue, 61)
    for _ in range(40):
        queue.push("idle", 1.0, 0, 10.0, "idle")
    assert Counter(popped(queue, 20)) == {"busy": 10, "idle": 10}


def test_within_a_tenant_priority_then_age() -> None:
    queue: FairQueue[str] = FairQueue()
    for name, priority in [("old", 0), ("new", 0), ("urgent", 5), ("later", -5)]:
        queue.push("t", 1.0, priority, 1.0, name)
    assert popped(queue, 4) == ["urgent", "old", "new", "later"]


def test_priority_buys_nothing_from_other_tenants() -> None:
    queue: FairQueue[str] = FairQueue()
    for _ in range(50):
        queue.push("pushy", 1.0, 100, 1.0, "pushy")
        queue.push("modest", 1.0, 0, 1.0, "modest")
    assert Counter(popped(queue, 20)) == {"pushy": 10, "modest": 10}


def test_what_is_not_wanted_any_more_is_not_charged() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(10):
        queue.push("a", 1.0, 0, 100.0, f"dead-{number}")
    queue.push("a", 1.0, 0, 1.0, "a")
    queue.push("b", 1.0, 0, 1.0, "b")
    assert {queue.pop(lambda item: not item.startswith("dead")) for _ in range(2)} == {"a", "b"}
    assert (queue.pop(), len(queue)) == (None, 0)


def test_tenants_that_went_are_forgotten() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(1000):
        queue.push("busy", 1.0, 0, 1.0, "busy")
        queue.push(f"t{number}", 1.0, 0, 1.0, "guest")
        assert "busy" in {queue.pop(), queue.pop()} or len(queue)
    assert len(queue._lines) < 200
    popped(queue, 2000)
    assert not queue._lines


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60))
def test_everything_comes_out_once(calls: list[tuple[str, float]]) -> None:
    queue: FairQueue[int] = FairQueue()
    for number, (tenant, cost) in enumerate(calls):
        queue.push(tenant, 1.0, 0, cost, number)
    assert len(queue) == len(calls)
    assert sorted(item for item in (queue.pop() for _ in calls) if item is not None) == list(range(len(calls)))
    assert queue.pop() is None
