"""treequest's algorithms on our engine (its plug-in point: `generate_fn(parent or None) -> (state, score in [0, 1])`).

A state is a solution: a fresh one below the root, a revision of its parent and those before it elsewhere, as in
AB-MCTS's own examples and in our `adaptive_branching`. The answer is that of the best state. What the package draws has
a seed here. A solution without an answer gets 0, as its examples do with invalid ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from domain.errors import EngineError
from domain.ids import derive_seed
from domain.moves import FinishReason
from domain.ports import Completion
from evaluation.peering.its_hub_port import last_score
from evaluation.peering.task import Answer, Method, Task
from inference.prompts import MAX_ATTEMPTS

ACTION = "revise"


@dataclass(frozen=True, slots=True)
class Attempt:
    text: str
    answer: str | None
    before: tuple[str, ...]
    """The attempts that it revises, oldest first."""


def treequest_methods() -> dict[str, Method]:
    """By the name of the algorithm. Raises ImportError where the package is missing."""
    import treequest

    return {"ABMCTSA": _searched(treequest.ABMCTSA), "StandardMCTS": _searched(treequest.StandardMCTS)}


def _searched(kind: Callable[[], Any]) -> Method:
    async def method(task: Task, n: int) -> Answer:
        from treequest import top_k

        algorithm = kind()
        state = algorithm.init_tree()
        for number in range(1, n + 1):
            _seed(derive_seed(task.seed, "ask", number))
            state, trial = algorithm.ask(state, [ACTION])
            result = await _generated(task, number, trial.parent_state)
            _seed(derive_seed(task.seed, "tell", number))
            state = algorithm.tell(state, trial.trial_id, result)
        best: list[tuple[Attempt, float]] = top_k(state, algorithm, k=1)
        return best[0][0].answer

    return method


def _seed(seed: int) -> None:
    import numpy as np

    np.random.seed(seed % 2**32)  # scipy's distributions draw from numpy's global generator


async def _generated(task: Task, number: int, parent: Attempt | None) -> tuple[Attempt, float]:
    before = () if parent is None else tuple(filter(None, (*parent.before, parent.text)))[-MAX_ATTEMPTS:]
    done = await _sampled(task, number, before)
    if done is None or done.finish is not FinishReason.END or done.answer is None:
        return Attempt("" if done is None else done.text, None, before), 0.0
    return Attempt(done.text, done.answer.text, before), await last_score(task, done.text)


async def _sampled(task: Task, number: int, attempts: tuple[str, ...]) -> Completion | None:
    """With as many of the latest attempts as the context has room for."""
    while True:
        try:
            return await task.policy.sample(task.request(number, attempts=attempts))
        except EngineError as error:
            if error.retryable:
                raise
            if not attempts:
                return None
            attempts = attempts[1:]
