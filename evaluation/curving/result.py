"""The numbers of a run, as JSON: the keys of the issue first, then every curve with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.curving.methods import ADAPTIVE, EFFORT, METHODS, OPTIMAL, WEIGHTED
from evaluation.curving.ratios import Harm, harms, saving
from evaluation.curving.table import Cell, Table, mean, total
from evaluation.statistics import Interval

REFERENCE_N = 64
SIZES_OF_HARM = (4, 8, 16, 32, 64, 128, 256)


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
        "curves": curves(table),
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


# ------------------------------------------------------------------------------------------------ curves


def curves(table: Table) -> dict[str, Any]:
    return {f"{name}, {arm}": _curve(table, name, arm) for name, arm in table.names()}


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
