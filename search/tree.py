"""The nodes of a search: what was sampled, where it hangs, how it was scored. All frozen; updates give new values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from domain.moves import ROOT, Answer, Failed, FinishReason, Sampled, Scored


class NodeStatus(StrEnum):
    """Where a node is in its life."""

    PENDING = "pending"
    """Its text is being sampled."""
    SAMPLED = "sampled"
    """It has a text; it may have an answer."""
    FAILED = "failed"
    """Sampling it failed; it takes no part in the verdict."""


class ScoreStatus(StrEnum):
    """Whether the verifier has spoken. There is no status for a guess."""

    NONE = "none"
    PENDING = "pending"
    SCORED = "scored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Node:
    """One sampled text. `id` counts from 1; the problem itself is node 0 (`ROOT`) and is not stored."""

    id: int
    parent: int = ROOT
    status: NodeStatus = NodeStatus.PENDING
    text: str = ""
    finish: FinishReason | None = None
    answer: Answer | None = None
    logprob: float | None = None
    tokens: int = 0
    """Tokens that were generated for it; 0 also where the engine does not say."""
    equivalent: tuple[str, ...] = ()
    scoring: ScoreStatus = ScoreStatus.NONE
    scores: tuple[float, ...] = ()

    @property
    def finished(self) -> bool:
        """A whole solution with an answer; truncated text is neither."""
        return self.status is NodeStatus.SAMPLED and self.finish is FinishReason.END and self.answer is not None


def with_sample(node: Node, outcome: Sampled | Failed) -> Node:
    """The node after its sampling ended."""
    if isinstance(outcome, Failed):
        return replace(node, status=NodeStatus.FAILED)
    return replace(
        node,
        status=NodeStatus.SAMPLED,
        text=outcome.text,
        finish=outcome.finish,
        answer=outcome.answer,
        logprob=outcome.logprob,
        tokens=outcome.cost.generated_tokens,
        equivalent=tuple(sorted(outcome.equivalent)),
    )


def with_scores(node: Node, outcome: Scored | Failed) -> Node:
    """The node after its scoring ended. An empty list of scores is no score."""
    if isinstance(outcome, Failed) or not outcome.scores:
        return replace(node, scoring=ScoreStatus.FAILED)
    return replace(node, scoring=ScoreStatus.SCORED, scores=outcome.scores)


def put(nodes: tuple[Node, ...], node: Node) -> tuple[Node, ...]:
    """The nodes with this one replaced (ids are positions, from 1)."""
    index = node.id - 1
    return (*nodes[:index], node, *nodes[index + 1 :])
