"""A search as a person watches it: counters, and the tree of its rollouts with their answers, made from its events.

The events are those of the trace in their JSON form, so that a running job, a stored one and a local search look alike.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MOVES_OF_A_SOLUTION = {"self_consistency": 1, "best_of_n": 2}
"""Of the strategies that make all their moves."""

FINAL = frozenset({"completed", "incomplete", "failed", "cancelled"})


@dataclass
class Rollout:
    """One node of the search: a sampled text."""

    node: int
    parent: int
    state: str = "sampling"
    """sampling, step (it can go on), sampled, scored, no answer, cut or failed."""
    answer: str | None = None
    score: float | None = None
    tokens: int = 0


@dataclass
class SearchView:
    """Fold events with `see`; everything else is derived."""

    problem: str = ""
    strategy: Mapping[str, Any] = field(default_factory=dict)
    status: str = "queued"
    rollouts: dict[int, Rollout] = field(default_factory=dict)
    moves: dict[str, int] = field(default_factory=dict)
    """Move id to node."""
    settled: int = 0
    failed: int = 0
    generated_tokens: int = 0
    verified_tokens: int = 0
    claims: int = 0
    stopped: Mapping[str, Any] | None = None
    started: float = field(default_factory=time.monotonic)

    def see(self, event: Mapping[str, Any]) -> None:
        """An event of a type that this program does not know is passed over."""
        reader = {
            "job_submitted": self._submitted,
            "job_claimed": self._claimed,
            "moves_issued": self._issued,
            "move_settled": self._settled,
            "job_released": self._released,
            "job_stopped": self._stopped,
        }.get(str(event.get("type")))
        if reader is not None:
            reader(event)

    @property
    def over(self) -> bool:
        return self.stopped is not None

    @property
    def expected(self) -> int | None:
        """Moves that the whole strategy will make, where it says so beforehand."""
        each = MOVES_OF_A_SOLUTION.get(str(self.strategy.get("type")))
        n = self.strategy.get("n")
        return None if n is None or each is None else int(n) * each

    @property
    def in_flight(self) -> int:
        return len(self.moves) - self.settled

    def answers(self) -> list[tuple[str, list[Rollout]]]:
        """Rollouts by their answer as written, most first."""
        groups: dict[str, list[Rollout]] = {}
        for rollout in self.rollouts.values():
            if rollout.answer is not None:
                groups.setdefault(rollout.answer, []).append(rollout)
        return sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))

    def _submitted(self, event: Mapping[str, Any]) -> None:
        parts = event["problem"]["parts"]
        self.problem = "\n\n".join(part.get("text", "") for part in parts)
        self.strategy = event["strategy"]

    def _claimed(self, _: Mapping[str, Any]) -> None:
        self.status = "in_progress"
        self.claims += 1

    def _released(self, _: Mapping[str, Any]) -> None:
        self.status = "queued"

    def _issued(self, event: Mapping[str, Any]) -> None:
        for move in event["moves"]:
            self.moves[move["id"]] = move["node"]
            if move["kind"] == "sample":
                self.rollouts[move["node"]] = Rollout(move["node"], move["parent"])

    def _settled(self, event: Mapping[str, Any]) -> None:
        outcome = event["outcome"]
        self.settled += 1
        cost = outcome.get("cost", {})
        self.generated_tokens += cost.get("generated_tokens", 0)
        self.verified_tokens += cost.get("verified_tokens", 0)
        rollout = self.rollouts.get(self.moves.get(outcome["move_id"], -1))
        if outcome["type"] == "failed":
            self.failed += 1
        if rollout is not None:
            _update(rollout, outcome)

    def _stopped(self, event: Mapping[str, Any]) -> None:
        self.status = str(event["status"])
        self.stopped = event


def _update(rollout: Rollout, outcome: Mapping[str, Any]) -> None:
    if outcome["type"] == "sampled":
        answer = outcome.get("answer")
        rollout.tokens = outcome["cost"].get("generated_tokens", 0)
        rollout.answer = None if answer is None else answer["text"]
        whole = "sampled" if answer is not None else "no answer"
        rollout.state = {"length": "cut", "stop": "step"}.get(outcome["finish"], whole)
    elif outcome["type"] == "scored":
        scores = outcome["scores"]
        rollout.score = scores[-1] if scores else None
        rollout.state = "scored"
    else:
        rollout.state = "failed"
