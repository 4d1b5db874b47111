"""From command-line options to the body of a submission; `domain` checks it, here and in the service alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from domain.budget import parse_budget
from domain.effort import parse_search
from domain.errors import InvalidRequest
from domain.problem import parse_problem
from domain.recipe import DEFAULT_STRATEGY, SPECS
from domain.specs.adaptive import Adaptive


def read_problem(text: str) -> str:
    """The text itself; `-` reads standard input. Raises InvalidRequest."""
    if text == "-":
        try:
            text = sys.stdin.buffer.read().decode()
        except UnicodeDecodeError:
            raise InvalidRequest("standard input is not UTF-8 text: convert it first", param="problem") from None
    parse_problem(text)
    return text


def strategy(name: str | None, n: int | None, parameters: Sequence[str], effort: str | None = None) -> dict[str, Any]:
    """`{"name", …}` with every `-p name=value` read as its parameter's type, to be sent beside `effort`. Raises
    InvalidRequest."""
    default = DEFAULT_STRATEGY if effort is None else Adaptive.name
    chosen: dict[str, Any] = {"name": name or default}
    if n is not None:
        chosen["n"] = n
    for item in parameters:
        key, equals, raw = item.partition("=")
        if not equals:
            raise InvalidRequest(f"{item!r} is no parameter: write -p name=value, e.g. -p temperature=0.7")
        chosen[key.strip()] = _typed(chosen["name"], key.strip(), raw.strip())
    parse_search(chosen, effort)
    return chosen


def budget(tokens: int | None, flops: float | None, rollouts: int | None, seconds: float | None) -> dict[str, Any]:
    """The units that are limited. Raises InvalidRequest."""
    given = {"tokens": tokens, "flops": flops, "rollouts": rollouts, "seconds": seconds}
    limits = {name: value for name, value in given.items() if value is not None}
    parse_budget(limits)
    return limits


def confidence(value: float | None) -> float | None:
    """Raises InvalidRequest."""
    if value is not None and not 0 <= value <= 1:
        raise InvalidRequest("confidence must be a number from 0 to 1", param="confidence")
    return value


def _typed(name: str, key: str, raw: str) -> Any:
    spec = SPECS.get(name)
    item = next((item for item in fields(spec) if item.name == key), None) if spec else None
    if item is None or isinstance(item.default, str) or raw in item.metadata.get("words", ()):
        return raw
    default = item.default
    try:
        return int(raw) if isinstance(default, int) and raw.lstrip("+-").isdigit() else float(raw)
    except ValueError:
        wanted = " or ".join(("a number", *item.metadata.get("words", ())))
        raise InvalidRequest(f"{key} must be {wanted}, not {raw!r}", param=f"strategy.{key}") from None
