"""Upper bounds of what a move can cost, for its reservation. No tokenizer is at hand here, so bytes bound tokens:
no tokenizer in use makes more tokens than a text has UTF-8 bytes."""

from __future__ import annotations

from domain.budget import Spend
from domain.moves import Sample, Score
from domain.ports import ModelInfo
from orchestrator.ledger import Ledger

TEMPLATE_TOKENS = 64
"""Room for what a prompt or chat template adds."""

MIN_GRANT_TOKENS = 16
"""A rollout is not worth starting with less."""


def prompt_bound(problem: str, text: str) -> int:
    """Most tokens that a prompt of these two texts can have."""
    return len(problem.encode()) + len(text.encode()) + TEMPLATE_TOKENS


def sample_bound(move: Sample, problem: str, policy: ModelInfo, max_tokens: int) -> Spend:
    read = sum(len(text.encode()) + TEMPLATE_TOKENS for text in move.attempts)
    prompt = min(prompt_bound(problem, move.prefix) + read, policy.context_tokens)
    flops = 2.0 * policy.parameters * (prompt + max_tokens)
    return Spend(prompt_tokens=prompt, generated_tokens=max_tokens, flops=flops, rollouts=1)


def score_bound(move: Score, problem: str, verifier: ModelInfo) -> Spend:
    # A separator token is read after each step, beside the text itself.
    tokens = min(prompt_bound(problem, move.solution), verifier.context_tokens) + move.max_tokens
    return Spend(verified_tokens=tokens, flops=2.0 * verifier.parameters * tokens, verifier_calls=1)


def affordable_tokens(move: Sample, problem: str, policy: ModelInfo, ledger: Ledger) -> int:
    """The most tokens that the budget still lets this rollout generate, at most what the move asks."""
    grant = move.max_tokens
    tokens_left, flops_left = ledger.tokens_left(), ledger.flops_left()
    if tokens_left is not None:
        grant = min(grant, tokens_left)
    if flops_left is not None:
        prompt = sample_bound(move, problem, policy, 0).flops
        grant = min(grant, int((flops_left - prompt) / (2.0 * policy.parameters)))
    return grant
