"""What orchestrating costs: the measurement itself at a small size, and the limits on trees."""

import asyncio

import pytest

from domain.budget import Budget
from domain.events import JobStopped, MoveSettled
from domain.moves import Sampled, Scored
from domain.recipe import SPECS
from domain.verdict import StopReason
from evaluation import decisions
from evaluation.decisions import job_of, measured, moves_in, run_job, table, tree_bytes


def test_every_strategy_is_measured_and_the_worst_is_named() -> None:
    result = measured(rounds=1, jobs=1, nodes=24, moves_by_job=12)
    assert set(result["strategies"]) == set(SPECS)
    rows = result["strategies"].values()
    assert result["cpu_ms_per_move"] == max(row["cpu_ms_per_move"] for row in rows) > 0
    assert result["bytes_1000_nodes"] == max(row.get("bytes", 0) for row in rows)
    assert all(row["moves"] >= 8 for row in rows), "a seed may need a few moves less than the one it was sized by"
    assert all(f"| {name} |" in table(result) for name in SPECS)


@pytest.mark.parametrize("name", sorted(set(SPECS) - decisions.FLAT))
def test_a_job_has_a_tree_of_the_size_that_was_asked_for(name: str) -> None:
    found = tree_bytes(SPECS[name](), 60)
    assert 60 <= found["nodes"] <= 60 + 32, "what is in flight when the rollouts are used up"
    assert found["bytes"] == found["state"] + found["events"]


@pytest.mark.parametrize("name", ["adaptive_branching", "mcts"])
def test_a_tree_of_1000_nodes_fits_in_2_mb(name: str) -> None:
    """The two that take most room."""
    found = tree_bytes(SPECS[name](), 1000)
    assert found["nodes"] >= 1000
    assert found["bytes"] <= 2_000_000


def test_nothing_stops_a_measured_job_early() -> None:
    """Else its moves would be those of a search that had an easy time."""
    events = asyncio.run(run_job(job_of(SPECS["best_of_n"](), 20), 1, Budget(), decisions.NEVER))
    outcomes = [event.outcome for event in events if isinstance(event, MoveSettled)]
    assert moves_in(events) == len(outcomes) >= 20
    assert {type(one) for one in outcomes} == {Sampled, Scored}
    stopped = events[-1]
    assert isinstance(stopped, JobStopped)
    assert stopped.reason is StopReason.BELOW_CONFIDENCE
