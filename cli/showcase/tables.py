"""The demo's tables: every job, and the totals by strategy and level."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from cli.showcase.problems import Example, is_right


@dataclass(frozen=True, slots=True)
class Solved:
    example: Example
    strategy: str
    job: dict[str, Any]

    @property
    def right(self) -> bool:
        return is_right(self.example, self.job)

    @property
    def tokens(self) -> int:
        usage = self.job["usage"]
        return int(usage["generated_tokens"]) + int(usage["verified_tokens"])

    @property
    def seconds(self) -> float:
        return float(self.job["usage"]["seconds"])


def job_table(solved: Iterable[Solved]) -> Table:
    table = Table("level", "problem", "strategy", "answer", "right?", "confidence", "stop reason", "tokens", "seconds")
    for one in solved:
        job = one.job
        table.add_row(
            str(one.example.level),
            _cut(one.example.problem, 34),
            one.strategy,
            _cut(job["answer"] or "–", 12),
            "[green]yes[/]" if one.right else f"[red]no[/] ({_cut(one.example.answer, 10)})",
            "–" if job["confidence"] is None else f"{job['confidence']:.2f}",
            job["stop_reason"] or job["status"],
            str(one.tokens),
            f"{one.seconds:.2f}",
        )
    for column in (table.columns[0], *table.columns[5:6], *table.columns[7:]):
        column.justify = "right"
    return table


def totals_table(solved: Sequence[Solved]) -> Table:
    strategies = list(dict.fromkeys(one.strategy for one in solved))
    table = Table("level", *(f"{name}: right" for name in strategies), *(f"{name}: tokens" for name in strategies))
    for level in sorted({one.example.level for one in solved}):
        table.add_row(str(level), *_totals([one for one in solved if one.example.level == level], strategies))
    table.add_section()
    table.add_row("all", *_totals(solved, strategies))
    for column in table.columns:
        column.justify = "right"
    return table


def _totals(solved: Sequence[Solved], strategies: Sequence[str]) -> list[str]:
    groups = [[one for one in solved if one.strategy == name] for name in strategies]
    right = [f"{sum(one.right for one in group)}/{len(group)}" for group in groups]
    return right + [str(sum(one.tokens for one in group)) for group in groups]


def _cut(text: str, width: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"
