"""its_hub's algorithms on our engine (its plug-in points: a language model, a process and an outcome reward model).

They are set up as its documentation shows: steps end at a blank line, a solution at the step with `\\boxed`; votes go
by our normal form of the answer, which is more than its regular expressions can do. What the package draws for itself
(ties, resampling) has a seed here. An answer that can't be scored gets 0, since its interface knows no other way.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from domain.errors import EngineError
from domain.ids import derive_seed
from domain.moves import STEP_SEPARATOR
from domain.ports import ScoreRequest
from evaluation.peering.task import Answer, Method, Task
from inference.answers.extract import extract_answer

STOP_TOKEN = "\\boxed"
BEAM_WIDTH = 4
UNSCORED = 0.0


def its_hub_methods() -> dict[str, Method]:
    """By the name of the algorithm. Raises ImportError where the package is missing."""
    import its_hub.core.algorithms.particle_gibbs  # noqa: F401

    return {
        "SelfConsistency": _voting("self_consistency", "SelfConsistency"),
        "AdaptiveSelfConsistency": _voting("adaptive_self_consistency", "AdaptiveSelfConsistency"),
        "BetaSelfConsistency": _voting("beta_self_consistency", "BetaSelfConsistency"),
        "BestOfN": _best_of_n,
        "BeamSearch": _beam,
        "ParticleFiltering": _particles,
    }


def _voting(module: str, name: str) -> Method:
    async def method(task: Task, n: int) -> Answer:
        from importlib import import_module

        kind: Any = getattr(import_module(f"its_hub.core.algorithms.{module}"), name)

        class Seeded(kind):  # type: ignore[misc]
            def _process_responses(self, *arguments: Any, **named: Any) -> Any:
                random.seed(derive_seed(task.seed, "ties"))
                return super()._process_responses(*arguments, **named)

        algorithm = Seeded(consistency_space_projection_func=answer_key, orchestrator=_orchestrator())
        return await _answered(algorithm, task, n)

    return method


async def _best_of_n(task: Task, n: int) -> Answer:
    from its_hub.core.algorithms.bon import BestOfN

    return await _answered(BestOfN(_outcome_model(task), orchestrator=_orchestrator()), task, n)


async def _beam(task: Task, n: int) -> Answer:
    from its_hub.core.algorithms.beam_search import BeamSearch

    return await _answered(BeamSearch(_steps(task), _process_model(task), beam_width=min(BEAM_WIDTH, n)), task, n)


async def _particles(task: Task, n: int) -> Answer:
    from its_hub.core.algorithms.particle_gibbs import ParticleFiltering

    class Seeded(ParticleFiltering):  # type: ignore[misc]
        drawn = 0

        def _resampling(self, *arguments: Any, **named: Any) -> Any:
            self.drawn += 1
            random.seed(derive_seed(task.seed, "resample", self.drawn))
            return super()._resampling(*arguments, **named)

    return await _answered(Seeded(_steps(task), _process_model(task)), task, n)


async def _answered(algorithm: Any, task: Task, n: int) -> Answer:
    response = await algorithm.ainfer(_language_model(task), task.problem, n)
    found = extract_answer(response["content"])
    return None if found is None else found.text


def answer_key(text: str) -> str | None:
    """What a vote is for."""
    found = extract_answer(text)
    return None if found is None else found.key


def _orchestrator() -> Any:
    from its_hub.core.orchestrator import LMOrchestrator

    return LMOrchestrator(max_concurrency=-1)  # the engine bounds its batch itself


def _steps(task: Task) -> Any:
    from its_hub.core.lms.step_generation import StepGeneration

    limits = task.limits
    return StepGeneration(limits.max_steps, STEP_SEPARATOR, STOP_TOKEN, temperature=limits.temperature)


def _language_model(task: Task) -> Any:
    from its_hub.api import AbstractLanguageModel

    class Model(AbstractLanguageModel):  # type: ignore[misc]
        def __init__(self) -> None:
            self._calls = 0

        async def agenerate(self, messages: Any, stop: str | None = None, **named: Any) -> Any:
            import asyncio

            conversations = messages if messages and isinstance(messages[0], list) else [messages]
            answers = await asyncio.gather(*[self.agenerate_single(one, stop) for one in conversations])
            return answers if conversations is messages else answers[0]

        async def agenerate_single(self, messages: Any, stop: str | None = None, **named: Any) -> dict[str, Any]:
            self._calls += 1
            prefix = messages[-1].content if messages[-1].role == "assistant" else ""
            stops = () if stop is None else (stop,)
            try:
                done = await task.policy.sample(task.request(self._calls, prefix=prefix, stop=stops))
            except EngineError as error:
                if error.retryable:
                    raise
                return {"role": "assistant", "content": ""}  # no room is left in the context
            return {"role": "assistant", "content": done.text}

    return Model()


def _process_model(task: Task) -> Any:
    from its_hub.api import AbstractProcessRewardModel

    class Model(AbstractProcessRewardModel):  # type: ignore[misc]
        def score(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
            raise NotImplementedError("the engine is asynchronous")

        async def ascore(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
            return await last_scores(task, steps)

    return Model()


def _outcome_model(task: Task) -> Any:
    from its_hub.api import AbstractOutcomeRewardModel

    class Model(AbstractOutcomeRewardModel):  # type: ignore[misc]
        def score(self, messages: Any, **named: Any) -> list[float]:
            raise NotImplementedError("the engine is asynchronous")

        async def ascore(self, messages: Any, orchestrator: Any = None, **named: Any) -> list[float]:
            return await last_scores(task, [conversation[-1].content for conversation in messages])

    return Model()


async def last_scores(task: Task, texts: Sequence[str]) -> list[float]:
    """The verifier's score of each text's last step."""
    import asyncio

    return await asyncio.gather(*[last_score(task, text) for text in texts])


async def last_score(task: Task, text: str) -> float:
    """0 for a text that can't be scored: a blank one, or one that is longer than the context."""
    try:
        done = await task.verifier.score(ScoreRequest("score", task.problem, text))
    except EngineError as error:
        if error.retryable:
            raise
        return UNSCORED
    return done.scores[-1] if done.scores else UNSCORED
