"""From the parameters that both endpoints share to a native submission, and from there to a job.

`deliberate` in the body holds native members that OpenAI's API has no word for: strategy, budget, confidence, priority,
webhook_url and so on. Whatever a native submission refuses is refused here too, under the name that the caller used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.budget import MAX_TOKENS
from domain.conversation import Turn, conversation_problem
from domain.effort import DEFAULT_EFFORT, EFFORTS, adaptive_for
from domain.errors import InvalidRequest
from domain.facade.models import Model
from domain.facade.parameters import number, one_of, whole
from domain.facade.refusals import refused
from domain.problem import checked

OWN = "deliberate"
MOST_CHOICES = 16
"""So many solutions a probe may have, and each choice needs one."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the endpoint calls things."""

    problem: str
    effort: str
    tokens: str


RESPONSE_NAMES = Names("input", "reasoning.effort", "max_output_tokens")
CHAT_NAMES = Names("messages", "reasoning_effort", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to search, as read from a body and not yet checked against one another."""

    names: Names
    model: Model
    effort: str | None
    """As the caller named it; it wins over the model's."""
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    choices: int
    metadata: object
    own: Mapping[str, Any]

    @property
    def searches_adaptively(self) -> bool:
        return _name(self.own.get("strategy")) == "adaptive"

    @property
    def level(self) -> str | None:
        """The effort that holds; None beside another strategy, which has none."""
        if self.effort is None and not self.searches_adaptively:
            return None
        return self.effort or self.model.effort or DEFAULT_EFFORT

    @property
    def shown_effort(self) -> str | None:
        """What an answer repeats. An effort that the model's name says stays in that name: of the seven, strict clients
        of the first major know four, and need not know those that they did not ask for."""
        return None if self.effort is None and self.model.effort is not None else self.level


def read_wishes(body: Mapping[str, Any], model: Model, names: Names, effort: object, max_tokens: object) -> Wishes:
    """Raises InvalidRequest."""
    own = body.get(OWN)
    if own is not None and not isinstance(own, dict):
        raise refused(f"{OWN} must be an object of members of a native job", OWN)
    for name, other in (("problem", names.problem), ("effort", names.effort), ("metadata", "metadata")):
        if name in (own or {}):
            raise refused(f"{OWN}.{name} is {other} here: leave it out", f"{OWN}.{name}")
    return Wishes(
        names,
        model,
        one_of(effort, names.effort, tuple(EFFORTS)),
        whole(max_tokens, names.tokens, 1, MAX_TOKENS),
        number(body.get("temperature"), "temperature", 0, 2),
        number(body.get("top_p"), "top_p", 0.01, 1),
        whole(body.get("seed"), "seed", -(2**63), 2**63 - 1),
        whole(body.get("n"), "n", 1, MOST_CHOICES) or 1,
        body.get("metadata"),
        own or {},
    )


def native_members(wishes: Wishes, turns: list[Turn], body: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a native submission that means the same. Raises InvalidRequest under the caller's names."""
    try:
        problem = checked(conversation_problem(turns))
    except InvalidRequest as error:
        raise in_callers_words(error, wishes) from None
    return _members(wishes, [{"type": "text", "text": part.text} for part in problem.parts], body)


def in_callers_words(error: InvalidRequest, wishes: Wishes) -> InvalidRequest:
    """What a native reader said of the members, under the names that the caller knows."""
    return InvalidRequest(error.message, param=_caller_name(error.param, wishes))


def _members(wishes: Wishes, problem: list[dict[str, str]], body: Mapping[str, Any]) -> dict[str, Any]:
    members = dict(wishes.own) | {"problem": problem, "metadata": wishes.metadata, "strategy": _strategy(wishes)}
    if wishes.level is not None:
        members["effort"] = wishes.level
    if wishes.max_tokens is not None:
        members["budget"] = _with_tokens(members.get("budget"), wishes.max_tokens)
    if "seed" not in members and (seed := _seed(wishes, body)) is not None:
        members["seed"] = seed
    return members


def _strategy(wishes: Wishes) -> object:
    strategy = wishes.own.get("strategy")
    chosen = dict(strategy) if isinstance(strategy, Mapping) else {"name": _name(strategy)}
    if wishes.temperature is not None and not _is_for_repetition(wishes):
        chosen.setdefault("temperature", wishes.temperature)
    if wishes.top_p is not None:
        chosen.setdefault("top_p", wishes.top_p)
    if wishes.choices > 1 and wishes.searches_adaptively and wishes.level is not None:
        preset = adaptive_for(wishes.level)
        chosen.setdefault("probe", max(preset.probe, wishes.choices))
        chosen.setdefault("n", max(preset.n, wishes.choices))
    return chosen


def _is_for_repetition(wishes: Wishes) -> bool:
    """Temperature 0 asks for the same answer each time. Of one sample that is greedy decoding; a vote of equal samples
    would be sure of anything, so that a search samples as ever and its seed follows from the request."""
    if wishes.temperature != 0:
        return False
    return not (wishes.searches_adaptively and wishes.level == "none" and wishes.choices == 1)


def _seed(wishes: Wishes, body: Mapping[str, Any]) -> int | None:
    if wishes.seed is not None:
        return wishes.seed & (2**63 - 1)
    if wishes.temperature != 0:
        return None
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _with_tokens(budget: object, tokens: int) -> object:
    """The smaller ceiling holds; a budget that makes no sense is left for its own reader to refuse."""
    if budget is None:
        return {"tokens": tokens}
    if not isinstance(budget, Mapping):
        return budget
    other = budget.get("tokens")
    if other is None:
        return dict(budget) | {"tokens": tokens}
    is_larger = isinstance(other, (int, float)) and not isinstance(other, bool) and other > tokens
    return dict(budget) | ({"tokens": tokens} if is_larger else {})


def _name(strategy: object) -> object:
    if isinstance(strategy, Mapping):
        return strategy.get("name")
    return "adaptive" if strategy is None else strategy


def _caller_name(param: str | None, wishes: Wishes) -> str | None:
    if param is None:
        return None
    head, _, _ = param.partition(".")
    own = {"problem": wishes.names.problem, "effort": wishes.names.effort, "metadata": param}
    if head in own:
        return own[head]
    if param in ("strategy.temperature", "strategy.top_p") and not isinstance(wishes.own.get("strategy"), Mapping):
        return param.partition(".")[2]
    return f"{OWN}.{param}" if head in wishes.own else param
