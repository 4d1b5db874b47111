r"""One trace of a thinking model: what is asked of it next, as a pure state machine.

    THINKING --marker--> THINKING (told to wait), then ANSWERING      THINKING --end of sequence--> ENDED
    THINKING --chunk full--> PROBING (or THINKING)                    THINKING --token cap--> ANSWERING (forced)
    PROBING --m equal answers--> ENDED, else THINKING                 ANSWERING --whatever comes--> ENDED

A marker is not an end of sequence: the policy may go on after it. After an end of sequence nothing is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.moves import FinishReason
from domain.specs.sequential import BudgetForcing
from search.tree import Node, NodeStatus

WAIT = "\nWait"
"""What makes a trace go on that would have ended its thinking (2501.19393)."""

FORCED = "\n\nThe final answer is \\boxed{"
"""What makes a model name its answer at once, after the marker."""

Same = Callable[[Node, Node], bool]
"""Whether two answers are one."""


class Phase(StrEnum):
    """What is asked of a trace next."""

    THINKING = "thinking"
    """The next chunk of its thinking."""
    PROBING = "probing"
    """The answer that it would give now; its thinking goes on from where it was."""
    ANSWERING = "answering"
    """Its answer, after its thinking is closed."""
    ENDED = "ended"
    """Nothing more."""


@dataclass(frozen=True, slots=True)
class Trace:
    phase: Phase = Phase.THINKING
    thinking: str = ""
    """All of it so far, with each "wait"."""
    closing: str = ""
    """What stands between the thinking and the answer."""
    tokens: int = 0
    """Of the thinking."""
    waits: int = 0
    turns: int = 0
    """Calls so far, whatever for."""
    latest: int = 0
    """The node of its latest call."""
    probes: tuple[Node, ...] = ()
    """Its latest probes in a row that gave one answer."""
    logprob: float = 0.0
    measured: int = 0
    """The summed log-probability of this many of its tokens."""
    lowest: float | None = None
    """The mean log-probability of a token in its least certain chunk of at least half the usual length."""
    solution: int = 0
    """The node that its whole solution ends with; 0 while there is none."""
    given_up: bool = False

    @property
    def certainty(self) -> float | None:
        """The mean log-probability of a token, at its lowest; None where the engine gives no log-probabilities."""
        if self.lowest is not None:
            return self.lowest
        return self.logprob / self.measured if self.measured else None


def prefix_of(trace: Trace) -> str:
    """What the policy goes on from."""
    return trace.thinking if trace.phase is Phase.THINKING else trace.thinking + trace.closing


def limit_of(trace: Trace, spec: BudgetForcing) -> int:
    """How many tokens it may give now."""
    if trace.phase is Phase.THINKING:
        return min(spec.chunk_tokens, spec.thinking_tokens - trace.tokens)
    return spec.probe_tokens if trace.phase is Phase.PROBING else spec.max_tokens


def advanced(trace: Trace, node: Node, spec: BudgetForcing, floor: float | None, same: Same) -> Trace:
    """The trace after its call came back as `node`. Below `floor` a chunk is too uncertain to go on."""
    if trace.phase is Phase.PROBING:
        return _probed(trace, node, spec, same)
    if trace.phase is Phase.ANSWERING or node.status is NodeStatus.FAILED:
        return _ended(trace, node)
    trace = _measured(trace, node, spec)
    if node.finish is FinishReason.END:
        return _ended(trace, node)
    trace = replace(
        trace, thinking=trace.thinking + node.text, tokens=trace.tokens + (node.tokens or spec.chunk_tokens)
    )
    if floor is not None and trace.lowest is not None and trace.lowest < floor:
        return replace(trace, phase=Phase.ENDED, given_up=True)
    return _thought(trace, node, spec)


def _thought(trace: Trace, node: Node, spec: BudgetForcing) -> Trace:
    """After a chunk: wait, close, probe, or just go on."""
    full = trace.tokens >= spec.thinking_tokens
    if node.finish is FinishReason.STOP and (full or trace.waits >= spec.waits):
        return replace(trace, phase=Phase.ANSWERING, closing=spec.marker + "\n\n")
    if node.finish is FinishReason.STOP:
        return replace(trace, thinking=trace.thinking + WAIT, waits=trace.waits + 1)
    forced = f"\n{spec.marker}{FORCED}"
    if full:
        return replace(trace, phase=Phase.ANSWERING, closing=forced)
    return replace(trace, phase=Phase.PROBING, closing=forced) if spec.probes else trace


def _probed(trace: Trace, node: Node, spec: BudgetForcing, same: Same) -> Trace:
    """A probe that names no answer, or another one, starts the row again; a failed one does so too."""
    row = (*trace.probes, node) if trace.probes and node.finished and same(trace.probes[-1], node) else (node,)
    trace = replace(trace, probes=row if node.finished else ())
    if len(trace.probes) >= spec.probes:
        return _ended(trace, node)
    return replace(trace, phase=Phase.THINKING, closing="")


def _ended(trace: Trace, node: Node) -> Trace:
    return replace(trace, phase=Phase.ENDED, solution=node.id if node.finished else 0)


def _measured(trace: Trace, node: Node, spec: BudgetForcing) -> Trace:
    if node.logprob is None or not node.tokens:
        return trace
    trace = replace(trace, logprob=trace.logprob + node.logprob, measured=trace.measured + node.tokens)
    if 2 * node.tokens < spec.chunk_tokens:
        return trace
    mean = node.logprob / node.tokens
    return replace(trace, lowest=mean if trace.lowest is None else min(trace.lowest, mean))
