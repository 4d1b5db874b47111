"""Our own strategies, through the service's own loop."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from domain.budget import Budget
from domain.events import JobSubmitted
from domain.problem import text_problem
from domain.recipe import SPECS, StrategySpec
from evaluation.peering.lockstep import SteppedEquivalence
from evaluation.peering.task import Answer, Limits, Method, Task
from orchestrator.engines import Engines
from orchestrator.local import solve


def ours(name: str, **parameters: Any) -> Method:
    """A registered strategy at `n` solutions; its other parameters are its defaults, but for the common limits."""

    async def method(task: Task, n: int) -> Answer:
        spec = _limited(replace(SPECS[name](), n=n, **parameters), task.limits)
        submitted = JobSubmitted(text_problem(task.problem), spec, Budget(), None, task.seed)
        same = task.beside.equivalence
        equivalence = None if same is None else SteppedEquivalence(same, task.batch)
        engines = Engines(task.policy, task.verifier, equivalence, task.beside.calibration)
        stopped, _ = await solve(submitted, engines)
        return stopped.verdict.answer

    return method


def _limited(spec: StrategySpec, limits: Limits) -> StrategySpec:
    wanted: dict[str, Any] = {
        "temperature": limits.temperature,
        "max_tokens": limits.max_tokens,
        "max_steps": limits.max_steps,
    }
    known = {item.name for item in fields(spec)}
    limited: Any = replace(spec, **{name: value for name, value in wanted.items() if name in known})
    return limited  # type: ignore[no-any-return]
