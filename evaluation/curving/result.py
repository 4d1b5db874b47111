"""The numbers of a run, as JSON: the keys of the issue first, then every curve with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from evaluation.curving.curve import EQUAL
from evaluation.curving.methods import ADAPTIVE, CHAIN, EFFORT, METHODS, OPTIMAL, RATIOS, WEIGHTED
from evaluation.curving.ratios import Harm, harms, no_worse, saving
from evaluation.curving.table import Cell, Table, bootstrap, by_problem, common, difference, mean, total
from evaluation.statistics import UNKNOWN, Interval

REFERENCE_N = 64
PARALLEL_N = 256
SIZES_OF_HARM = (4, 8, 16, 32, 64, 128, 256)
MOST_GENERATIONS = 64


def measured(table: Table) -> dict[str, Any]:
    """Everything but how it was run."""
    reference_n = max((n for n in table.curve(WEIGHTED) if n <= REFERENCE_N), default=REFERENCE_N)
    found = {name: _harms(table, name) for name in METHODS if table.curve(name) and name != WEIGHTED}
    worst = _worst([one for name, group in found.items() if METHODS[name].default for one in group])
    return {
        **_saving(table, "adaptive", (ADAPTIVE, EFFORT), reference_n),
        **_saving(table, "compute_optimal", (OPTIMAL,), reference_n),
        "reference_n": reference_n,
        "worst_harm_points": None if worst is None else worst.points.value,
        "worst_harm": None if worst is None else _harm_json(worst),
        "worst_harm_beyond_noise_points": _beyond_noise(found),
        "harm_by_method": {name: _harm_json(one) for name in found if (one := _worst(found[name])) is not None},
        "revisions": revisions(table),
        "curves": {f"{name}, {arm}": _curve(table, name, arm) for name, arm in table.names()},
    }


def _saving(table: Table, prefix: str, methods: Sequence[str], reference_n: int) -> dict[str, Any]:
    found = saving(table, methods, reference_n)
    if found is None:
        return {f"{prefix}_flops_ratio": None, f"{prefix}_flops_ratio_vs_plateau": None}
    return {**found.as_json(prefix), "plateau_n": found.plateau_n}


def _harms(table: Table, method: str) -> list[Harm]:
    levels = [group for group in table.groups if group.startswith("level ")]
    return harms(table, method, SIZES_OF_HARM, levels)


def _worst(found: Sequence[Harm]) -> Harm | None:
    return max(found, key=lambda one: one.points.value, default=None)


def _beyond_noise(found: dict[str, list[Harm]]) -> float | None:
    """The largest loss that the data vouch for: the largest lower end of an interval, of methods on by default."""
    lows = [one.points.low for name, group in found.items() if METHODS[name].default for one in group]
    return max(lows, default=None)


def _harm_json(one: Harm) -> dict[str, Any]:
    return {"method": one.method, "group": one.group, "n": one.n, "points": interval(one.points)}


def interval(one: Interval) -> list[float] | None:
    return [round(number, 5) for number in (one.value, one.low, one.high)] if one.known else None


# ------------------------------------------------------------------------------------------------ revisions


def revisions(table: Table) -> dict[str, Any]:
    """The best ratio at most 64 generations against parallel samples, and what a chain loses."""
    parallel = table.curve(WEIGHTED)
    parallel_n = max((n for n in parallel if n <= PARALLEL_N), default=None)
    names = [*(f"revisions {ratio}" for ratio in RATIOS), CHAIN]
    curves = {name: curve for name in names if (curve := table.curve(name))}
    chain = curves.get(CHAIN, {})
    lost = {n: lost_share(cell, "right") for n, cell in chain.items()}
    result: dict[str, Any] = {
        "best_ratio": None,
        "parallel_n": parallel_n,
        "generations_for_parallel": None,
        "generations_for_parallel_within_noise": None,
        "right_lost_share": interval(lost[max(lost)]) if lost else None,
        "right_lost_share_by_length": {n: interval(one) for n, one in lost.items()},
        "right_lost_share_taking_the_last": interval(lost_share(chain[max(chain)], "last_right")) if chain else None,
    }
    if parallel_n is None or not curves:
        return result
    n = max(size for curve in curves.values() for size in curve if size <= MOST_GENERATIONS)
    at_n = {name: curve[n] for name, curve in curves.items() if n in curve}
    best = max(at_n, key=lambda name: mean(at_n[name]).value)
    reference = parallel[parallel_n]
    needed = [size for size, cell in curves[best].items() if difference(cell, reference).value >= -EQUAL]
    nearly = [size for size, cell in curves[best].items() if common([cell, reference]) and no_worse(cell, reference)]
    return result | {
        "best_ratio": best,
        "best_ratio_n": n,
        "best_ratio_minus_parallel_points": interval(_points(difference(at_n[best], reference))),
        "generations_for_parallel": min(needed, default=None),
        "generations_for_parallel_within_noise": min(nearly, default=None),
        "accuracy_at_n": {name: interval(mean(cell)) for name, cell in at_n.items()},
    }


def _points(one: Interval) -> Interval:
    return one.scaled(100.0) if one.known else one


def lost_share(cell: Cell, attribute: str) -> Interval:
    """Of the chains whose first attempt is right those whose answer (or, `last_right`, whose last attempt) is not."""
    keys = [key for key, row in sorted(cell.items()) if row.first_right]
    if not keys:
        return UNKNOWN
    right = by_problem(cell, keys, attribute)
    chains = np.array([sum(key[0] == problem for key in keys) for problem in dict.fromkeys(key[0] for key in keys)])
    return bootstrap(len(right)).ratio((1.0 - right) * chains, chains)


# ------------------------------------------------------------------------------------------------ curves


def _curve(table: Table, name: str, arm: str) -> dict[int, Any]:
    return {n: point(table, cell) for n, cell in table.curve(name, arm).items()}


def point(table: Table, cell: Cell) -> dict[str, Any]:
    groups = {group: within for group in table.groups if (within := table.within(cell, group))}
    return {
        "accuracy": {group: interval(mean(within)) for group, within in groups.items()},
        "flops": {group: total(within, "flops") for group, within in groups.items()},
        "tokens": total(cell, "tokens"),
        "prompt_tokens": total(cell, "prompt_tokens"),
        "cached_tokens": total(cell, "cached_tokens"),
        "rollouts": total(cell, "rollouts"),
        "verifier_calls": total(cell, "verifier_calls"),
        "seconds": total(cell, "seconds"),
        "problems": len({problem for problem, _ in cell}),
        "searches": len(cell),
    }
