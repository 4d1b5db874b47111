"""The finished solutions of a trace, with what each of them took: what a caller is shown of a search, and counted for.

Reads events alone, so that it needs neither the strategy nor its state. A solution that grew by steps is the path of
its steps; steps that several solutions share count for each of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.events import Event, MoveSettled, MovesIssued
from domain.moves import ROOT, STEP_SEPARATOR, FinishReason, Sampled
from domain.verdict import Verdict

Steps = Mapping[int, Sampled]
Parents = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A solution that the policy ended by itself."""

    text: str
    answer: str | None
    tokens: int
    """Tokens that the policy generated for this text."""
    tail: str = ""
    """What it wrote last: the whole text, or its last step."""


def finished_rollouts(events: Iterable[Event]) -> tuple[Rollout, ...]:
    """In the order in which they ended."""
    nodes: dict[str, int] = {}
    parents: dict[int, int] = {}
    steps: dict[int, Sampled] = {}
    for event in events:
        if isinstance(event, MovesIssued):
            for move in event.moves:
                if move.kind == "sample":
                    nodes[move.id], parents[move.node] = move.node, move.parent
        elif isinstance(event, MoveSettled) and isinstance(event.outcome, Sampled):
            steps[nodes.get(event.outcome.move_id, ROOT)] = event.outcome
    return tuple(_rollout(node, steps, parents) for node, step in steps.items() if step.finish is FinishReason.END)


def tokens_of(solution: str | None, rollouts: Sequence[Rollout]) -> int:
    """Generated tokens of the text that was chosen. When it is no rollout as a whole (the end of one was put behind
    the beginning of another), those of the rollout whose last step ends it; 0 for no text at all."""
    if not solution:
        return 0
    whole = next((one.tokens for one in rollouts if one.text == solution), None)
    if whole is not None:
        return whole
    return next((one.tokens for one in rollouts if one.tail.strip() and solution.endswith(one.tail)), 0)


def distinct(chosen: str | None, rollouts: Sequence[Rollout], count: int) -> tuple[Rollout, ...]:
    """At most `count` rollouts for a caller who wants several: the chosen one, then those with other texts, then
    repetitions; in the order in which they ended."""
    first = {one.text: at for at, one in reversed(tuple(enumerate(rollouts)))}
    order = sorted(
        range(len(rollouts)), key=lambda at: (first[rollouts[at].text] != at, rollouts[at].text != chosen, at)
    )
    return tuple(rollouts[at] for at in order[:count])


def shown_solutions(verdict: Verdict, events: Sequence[Event], choices: int) -> list[dict[str, Any]]:
    """At most `choices`: the verdict's solution, then others, first those that differ."""
    rollouts = finished_rollouts(events)
    chosen: list[Rollout] = []
    if verdict.solution:
        chosen = [Rollout(verdict.solution, verdict.answer, tokens_of(verdict.solution, rollouts))]
    others = distinct(verdict.solution, rollouts, choices + 1)
    if chosen and others and others[0].text == verdict.solution:
        others = others[1:]
    shown = (*chosen, *others)[:choices]
    return [{"text": one.text, "answer": one.answer, "tokens": one.tokens} for one in shown]


def _rollout(node: int, steps: Steps, parents: Parents) -> Rollout:
    last = steps[node]
    path = [last]
    parent = parents.get(node, ROOT)
    # Only an open step is continued: a finished solution that is the parent was revised, not gone on with.
    while parent in steps and steps[parent].finish is FinishReason.STOP:
        path.append(steps[parent])
        parent = parents.get(parent, ROOT)
    text = STEP_SEPARATOR.join(step.text for step in reversed(path))
    tokens = sum(step.cost.generated_tokens for step in path)
    return Rollout(text, None if last.answer is None else last.answer.text, tokens, last.text)
