"""Search with a small model against a large one at equal FLOPs (2408.03314, section 7; inference FLOPs only)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from evaluation.curving.methods import GREEDY, MAJORITY
from evaluation.curving.page import points_table, table, text
from evaluation.curving.ratios import loss, shared
from evaluation.curving.result import interval, point
from evaluation.curving.rows import VERIFIER, Row
from evaluation.curving.table import Cell, Table, mean, total
from evaluation.statistics import Interval

SMALL, LARGE = "small", "large"


def named(rows: Iterable[Row], model: str) -> list[Row]:
    """The rows as those of one model."""
    return [replace(row, method=f"{model}: {row.method}") for row in rows]


def parameters(rows: Iterable[Row]) -> int:
    """Of the policy, by what the ledger charged: FLOPs are 2 × parameters × tokens processed."""
    for row in rows:
        processed = row.prompt_tokens + row.generated_tokens - row.cached_tokens
        if row.verified_tokens == 0 and processed:
            return round(row.flops / (2 * processed))
    return 0


def traded(rows: Mapping[str, list[Row]], items: Any) -> dict[str, Any]:
    """`rows` by model. At the cost of the large model's greedy answer, and of each of its votes, on each level."""
    sheet = Table(items, [one for model, found in rows.items() for one in named(found, model)])
    sizes = {model: parameters(found) for model, found in rows.items()}
    references = {"greedy": sheet.curve(f"{LARGE}: {GREEDY.name}").get(1)}
    references |= {f"majority of {n}": cell for n, cell in sheet.curve(f"{LARGE}: {MAJORITY}").items() if n > 1}
    methods = [name for name, arm in sheet.names() if name.startswith(SMALL) and arm == VERIFIER]
    return {
        "small_parameters": sizes[SMALL],
        "large_parameters": sizes[LARGE],
        "ratio": sizes[LARGE] / sizes[SMALL] if sizes[SMALL] else None,
        "at_equal_flops": {
            name: {group: _matched(sheet, cell, group, methods) for group in sheet.groups}
            for name, cell in references.items()
            if cell is not None
        },
        "curves": {
            f"{name}, {arm}": {n: point(sheet, cell) for n, cell in sheet.curve(name, arm).items()}
            for name, arm in sheet.names()
        },
    }


def _matched(sheet: Table, reference: Cell, group: str, methods: list[str]) -> dict[str, Any] | None:
    """One level: the large model's accuracy, and each small method's at the same FLOPs (None: it begins above), on the
    problems that the large model and all small methods were measured on."""
    curves = {name: [sheet.within(cell, group) for cell in sheet.curve(name).values()] for name in methods}
    problems = [{problem for problem, _ in cell} for cells in curves.values() for cell in cells]
    measured = set.intersection(*problems) if problems else set()
    large = {key: row for key, row in sheet.within(reference, group).items() if key[0] in measured}
    if not large:
        return None
    found = {name: _small(large, cells) for name, cells in curves.items()}
    return {
        "problems": len({problem for problem, _ in large}),
        "large": interval(mean(large)),
        "flops": total(large, "flops"),
        "small": found,
    }


def _small(large: Cell, cells: list[Cell]) -> dict[str, Any] | None:
    lost = loss(large, cells)
    if lost is None:
        return None
    gain = Interval(0.0 - lost.value, 0.0 - lost.high, 0.0 - lost.low)
    paired = shared(large, cells)
    accuracy = total(large, "right", paired) + gain.value / 100
    return {"accuracy": round(accuracy, 5), "minus_large_points": interval(gain)}


def markdown(result: Mapping[str, Any]) -> str:
    parts = [
        f"{result['n']} problems of the test split, seeds {', '.join(map(str, result['seeds']))}, temperature"
        f" {result['temperature']:g}. The small model, `{result['small']}`, has"
        f" {result['small_parameters']:,} parameters, the large one {result['large_parameters']:,}"
        f" ({result['ratio']:.1f} times as many). FLOPs are 2 × parameters × tokens processed;"
        " the small model's verifier is charged. Differences are in points, with paired 95 % bootstrap"
        " intervals over problems; “–”: the method's cheapest point costs more than that."
        f" Left out for want of time: {'; '.join(result['left_out']) or 'nothing'}.",
    ]
    for name, groups in result["at_equal_flops"].items():
        known = {group: one for group, one in groups.items() if one is not None}
        methods = list(next(iter(known.values()))["small"]) if known else []
        lines = [
            [
                f"{group} ({one['problems']})",
                f"{one['flops']:.3g}",
                text(one["large"]),
                *(_cell(one["small"][method]) for method in methods),
            ]
            for group, one in known.items()
        ]
        parts += [f"## Against the large model's {name}, at its FLOPs"]
        parts += [table(["problems", "FLOPs", "large", *(f"{method} (difference)" for method in methods)], lines)]
    return "\n\n".join([*parts, "## Accuracy and cost", points_table(result["curves"])])


def _cell(found: Mapping[str, Any] | None) -> str:
    return "–" if found is None else f"{found['accuracy']:.3f} ({text(found['minus_large_points'])})"
