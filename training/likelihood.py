"""The head of the shipped verifier: from the strong base's surprise at each step to the chance of ending right.

Law: no person's labels and no step checker; the labels are the policy's own rollouts. The head is chosen by how it
ranks solutions *within* a problem, on problems that it was not trained on, and never by its loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.moves import STEP_SEPARATOR
from inference.verifiers.ranking import within_auc
from training.progress import say

if TYPE_CHECKING:
    from torch import Tensor

KEPT_APART = 5
"""Every fifth problem chooses the head and is not trained on."""
LOOK_EVERY = 20


@dataclass(frozen=True)
class Scored:
    """One distinct solution of one problem."""

    problem: str
    """Its id."""
    features: Tensor
    """[steps, F]"""
    labels: Tensor
    """[steps]: the share of rollouts from there that ended right."""
    right: bool


def read_labelled(verifier: Any, path: Path) -> list[Scored]:
    """The solutions of a labels file (see `training.labels.monte_carlo`), read by the strong base."""
    import torch

    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    features = verifier.read([(row["problem"], STEP_SEPARATOR.join(row["steps"])) for row in rows])
    say(f"verifier: read {len(rows)} different solutions")
    return [
        Scored(row["problem_id"], found, torch.tensor(row["labels"]), row["right"])
        for row, found in zip(rows, features, strict=True)
    ]


def train_head(solutions: Sequence[Scored], steps: int, rate: float, seed: int) -> tuple[Any, float]:
    """The head with the best ranking within the problems that are kept apart, and its within-problem AUC there."""
    import torch
    from torch.nn import functional

    from inference.verifiers.step_likelihood import LikelihoodHead

    torch.manual_seed(seed)
    seen, kept = _parted(solutions)
    features = torch.cat([one.features for one in seen])
    labels = torch.cat([one.labels for one in seen])
    head = LikelihoodHead()
    head.mean.copy_(features.mean(0))
    head.spread.copy_(features.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(head.layers.parameters(), lr=rate, weight_decay=0.01)
    best, best_auc = _copied(head), -1.0
    for step in range(1, steps + 1):
        rows = torch.randint(len(features), (2048,))
        loss = functional.binary_cross_entropy_with_logits(head(features[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % LOOK_EVERY == 0 and (auc := ranking(head, kept)) > best_auc:
            best, best_auc = _copied(head), auc
    head.load_state_dict(best)
    say(f"verifier: head of {len(seen)} solutions, within-problem AUC {best_auc:.3f} on the other {len(kept)}")
    return head.eval(), best_auc


def ranking(head: Any, solutions: Sequence[Scored]) -> float:
    """Within-problem AUC of the last step's score; -1 when no problem has right and wrong solutions."""
    import torch

    with torch.no_grad():
        scores = head(torch.stack([one.features[-1] for one in solutions])).tolist()
    problems: dict[str, tuple[list[float], list[float]]] = {}
    for one, score in zip(solutions, scores, strict=True):
        rights, wrongs = problems.setdefault(one.problem, ([], []))
        (rights if one.right else wrongs).append(score)
    found = [auc for auc in (within_auc(*scores) for scores in problems.values()) if auc is not None]
    return math.fsum(found) / len(found) if found else -1.0


def _parted(solutions: Sequence[Scored]) -> tuple[list[Scored], list[Scored]]:
    places = {name: at for at, name in enumerate(dict.fromkeys(one.problem for one in solutions))}
    kept = [one for one in solutions if places[one.problem] % KEPT_APART == 0]
    seen = [one for one in solutions if places[one.problem] % KEPT_APART != 0]
    return seen, kept


def _copied(head: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in head.state_dict().items()}
