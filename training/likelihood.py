"""The head of the shipped verifier: from the strong base's surprise at each step to the chance of ending right.

Law: no person's labels and no step checker. A sampled solution's own end says whether it was right, and each of its
prefixes gets that as its label (a Monte-Carlo rollout of one). The head is chosen by how it ranks solutions *within* a
problem, on problems that it was not trained on, and never by its loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.ports import Completion
from training.metrics import Graded, within_problem_auc
from training.problems.arithmetic import Example
from training.progress import say

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Scored:
    """The features of one different solution of one problem, and how it ended."""

    problem: int
    features: Tensor
    """[steps, F]"""
    right: bool
    key: str


def read_solutions(verifier: Any, examples: Sequence[Example], sampled: Sequence[Sequence[Completion]]) -> list[Scored]:
    """All different finished solutions, read by the strong base."""
    chosen = {
        (index, item.text): item for index, items in enumerate(sampled) for item in items if item.answer is not None
    }
    features = verifier.read([(examples[index].problem, text) for index, text in chosen])
    found = [
        Scored(index, rows, item.answer.text == examples[index].answer, item.answer.key)
        for ((index, _), item), rows in zip(chosen.items(), features, strict=True)
        if item.answer is not None
    ]
    say(f"verifier: read {len(found)} different solutions")
    return found


def train_head(solutions: Sequence[Scored], steps: int, rate: float, seed: int) -> Any:
    """The head with the best within-problem ranking on every fifth problem, which it is not trained on."""
    import torch
    from torch.nn import functional

    from inference.verifiers.step_likelihood import LikelihoodHead

    torch.manual_seed(seed)
    if not any(one.right for one in solutions):
        say("verifier: no solution ended right, so that its head has learnt nothing")
        return LikelihoodHead().eval()
    kept = [one for one in solutions if one.problem % 5 == 0]
    seen = [one for one in solutions if one.problem % 5 != 0]
    features = torch.cat([one.features for one in seen])
    labels = torch.cat([torch.full((len(one.features),), float(one.right)) for one in seen])
    head = LikelihoodHead()
    head.mean.copy_(features.mean(0))
    head.spread.copy_(features.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(head.layers.parameters(), lr=rate, weight_decay=0.01)
    best, best_auc = head.state_dict(), -1.0
    for step in range(steps):
        rows = torch.randint(len(features), (2048,))
        loss = functional.binary_cross_entropy_with_logits(head(features[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 19 and (auc := ranking(head, kept)) > best_auc:
            best, best_auc = {name: value.clone() for name, value in head.state_dict().items()}, auc
    head.load_state_dict(best)
    say(f"verifier: head of {len(seen)} solutions, within-problem AUC {best_auc:.3f} on the other {len(kept)}")
    return head.eval()


def ranking(head: Any, solutions: Sequence[Scored]) -> float:
    """Within-problem AUC of the last step's score."""
    import torch

    with torch.no_grad():
        scores = head(torch.stack([one.features[-1] for one in solutions])).tolist()
    problems: dict[int, list[Graded]] = {}
    for one, score in zip(solutions, scores, strict=True):
        problems.setdefault(one.problem, []).append(Graded(one.key, one.right, score))
    return within_problem_auc(list(problems.values())).mean
