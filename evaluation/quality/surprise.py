"""The untrained baseline: how probable a solution is to the language model inside the verifier.

Read along while the verifier scores, so that it costs no second pass. Only verifiers that are causal language models
can tell (`inference.verifiers.step_likelihood`).
"""

from __future__ import annotations

from typing import Any


def listen(scorer: Any) -> dict[tuple[str, str], float] | None:
    """Fills with log-probabilities (nats) by (problem, solution) as `scorer` works; None when it has none to tell."""
    if not hasattr(scorer, "features"):
        return None
    from inference.verifiers.likelihood_features import FEATURES

    column = FEATURES.index("so_far_sum_logprob")
    plain = scorer.features
    heard: dict[tuple[str, str], float] = {}

    def features(batch: list[Any]) -> list[Any]:
        rows: list[Any] = plain(batch)
        for call, row in zip(batch, rows, strict=True):
            heard[call.request.problem, call.request.solution] = float(row[-1, column])
        return rows

    scorer.features = features
    return heard
