"""The JSON of a run: values, their 95 % intervals beside them, the gates, and how it was made."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.quality.collect import Plan
from evaluation.quality.gates import gates
from evaluation.quality.summary import Sheet, summary
from evaluation.statistics import Interval

DIGITS = 5


@dataclass(frozen=True)
class Result:
    found: Mapping[str, Any]
    """The tree of `evaluation.quality.summary`."""
    gates: Mapping[str, bool]
    facts: Mapping[str, Any]
    """How it was made: samples, seeds, temperature, models, time."""

    def as_json(self) -> dict[str, Any]:
        """`intervals` has the shape of the values, with [low, high] in each place; null where nothing was measured."""
        values = {key: _leaves(tree, lambda one: _number(one.value)) for key, tree in self.found.items()}
        intervals = {
            key: _leaves(tree, lambda one: [_number(one.low), _number(one.high)] if one.known else None)
            for key, tree in self.found.items()
        }
        return {**values, "gates": dict(self.gates), **self.facts, "intervals": intervals}


def result_of(sheet: Sheet, plan: Plan, *, seconds: float, workers: int) -> Result:
    found = summary(sheet)
    return Result(found, gates(found), facts(sheet, plan) | {"seconds": round(seconds, 1), "workers": workers})


def facts(sheet: Sheet, plan: Plan) -> dict[str, Any]:
    solutions = [one for record in sheet.records for one in record.solutions]
    return {
        "n": len(sheet.records),
        "samples": sheet.samples,
        "temperature": plan.temperature,
        "seed": plan.seed,
        "chains": plan.chains,
        "max_tokens": plan.max_tokens,
        "first_error_threshold": _number(sheet.threshold),
        "finished_share": _number(sum(one.finished for one in solutions) / len(solutions)),
        "mean_tokens": _number(sum(one.tokens for one in solutions) / len(solutions)),
        "distinct_share": _number(
            sum(len({one.text for one in record.solutions}) for record in sheet.records) / len(solutions)
        ),
        "revisions_with_fewer_attempts": sum(record.shortened for record in sheet.records),
    }


def _leaves(tree: Any, leaf: Callable[[Interval], Any]) -> Any:
    if isinstance(tree, Interval):
        return leaf(tree)
    return {key: _leaves(part, leaf) for key, part in tree.items()}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, DIGITS)
