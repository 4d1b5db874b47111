"""The head of the shipped verifier: from the strong base's surprise at each step to the chance of ending right.

Law: no person's labels and no step checker; the labels are the policy's own rollouts. Beside their cross-entropy, which
is content with knowing how hard a problem is, stands the chance that a draw by score among the solutions of one problem
is right. The head is chosen by how it ranks solutions *within* a problem, on problems that it was not trained on, and
never by its loss.
"""

from __future__ import annotations

import json
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.moves import STEP_SEPARATOR
from inference.verifiers.ranking import within_auc
from training.progress import say
from training.recipe import HeadRecipe

if TYPE_CHECKING:
    from torch import Tensor

KEPT_APART = 5
"""Every fifth problem chooses the head and is not trained on."""
LOOK_EVERY = 20
CONTESTS = 64
"""Problems in a step of training."""


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


def train_head(solutions: Sequence[Scored], recipe: HeadRecipe, seed: int) -> tuple[Any, float]:
    """The head with the best ranking within the problems that are kept apart, and its within-problem AUC there."""
    import torch
    from torch.nn import functional

    from inference.verifiers.step_likelihood import LikelihoodHead

    torch.manual_seed(seed)
    seen, kept = _parted(solutions)
    features = torch.cat([one.features for one in seen])
    labels = torch.cat([one.labels for one in seen])
    head, contests = LikelihoodHead(), _Contests(seen, seed)
    head.mean.copy_(features.mean(0))
    head.spread.copy_(features.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(head.layers.parameters(), lr=recipe.rate, weight_decay=0.01)
    best, best_auc = _copied(head), -1.0
    for step in range(1, recipe.steps + 1):
        rows = torch.randint(len(features), (2048,))
        loss = functional.binary_cross_entropy_with_logits(head(features[rows]), labels[rows])
        loss = loss + recipe.within * contests.loss(head)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % LOOK_EVERY == 0 and (auc := ranking(head, kept)) > best_auc:
            best, best_auc = _copied(head), auc
    head.load_state_dict(best)
    head.sharpen(recipe.sharpness)
    say(f"verifier: head of {len(seen)} solutions, within-problem AUC {best_auc:.3f} on the other {len(kept)}")
    return head.eval(), best_auc


class _Contests:
    """The problems that have right and wrong solutions."""

    def __init__(self, solutions: Sequence[Scored], seed: int) -> None:
        import torch

        self._random = random.Random(seed)
        by_problem: dict[str, list[int]] = defaultdict(list)
        for at, one in enumerate(solutions):
            by_problem[one.problem].append(at)
        right = [one.right for one in solutions]
        self._mixed = [places for places in by_problem.values() if len({right[at] for at in places}) == 2]
        self._last = torch.stack([one.features[-1] for one in solutions])
        self._right = torch.tensor(right)

    def loss(self, head: Any) -> Any:
        """Mean of -log of the chance that a draw by score, from one problem's solutions, is right; 0 without any."""
        chosen = self._random.sample(self._mixed, min(CONTESTS, len(self._mixed)))
        if not chosen:
            return 0.0
        logits = head(self._last)
        return sum(self._missed(logits[places], self._right[places]) for places in chosen) / len(chosen)

    def _missed(self, logits: Tensor, right: Tensor) -> Tensor:
        return logits.logsumexp(0) - logits[right].logsumexp(0)


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
