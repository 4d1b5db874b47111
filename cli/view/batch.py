"""The progress of a batch as a bar on a terminal, or as a line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

EVERY_S = 10.0


class BatchBar:
    """Use it in a `with`; call it with each new state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
            console=console,
        )  # fmt: skip
        self._task = self._bar.add_task("batch", total=None, note="")
        self._said, self._before = float("-inf"), ""

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def __call__(self, batch: Mapping[str, Any]) -> None:
        counts = batch["counts"]
        status = "paused" if batch["paused"] else batch["status"]
        done = counts["completed"] + counts["failed"]
        total = counts["total"] if status != "validating" else None
        self._bar.update(self._task, description=status, total=total, completed=done, note=note(batch))
        if not self._console.is_terminal and self._due(status):
            self._console.print(f"{status}: {done}/{counts['total']} {note(batch)}", highlight=False)

    def _due(self, status: str) -> bool:
        due = status != self._before or time.monotonic() - self._said >= EVERY_S
        if due:
            self._said, self._before = time.monotonic(), status
        return due


def note(batch: Mapping[str, Any]) -> str:
    """Cost so far, what the whole may cost, failures, and the time that is left."""
    usage, estimate = batch["usage"], batch["estimate"]
    tokens = usage["generated_tokens"] + usage["verified_tokens"]
    parts = [f"{tokens:,} tokens"]
    if estimate["tokens"] is not None:
        parts[0] += f" of about {estimate['tokens']:,}"
    if batch["budget"]["tokens"] is not None:
        parts[0] += f" (budget {batch['budget']['tokens']:,})"
    parts.append(f"{usage['flops']:.3g} FLOPs")
    if batch["counts"]["failed"]:
        parts.append(f"{batch['counts']['failed']} failed")
    if estimate["seconds_left"]:
        parts.append(f"{duration(estimate['seconds_left'])} left")
    return " · ".join(parts)


def duration(seconds: float) -> str:
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def rows(batch: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What `show` prints, line by line."""
    counts = batch["counts"]
    shown = [
        ("batch", str(batch["id"])),
        ("status", "paused" if batch["paused"] else str(batch["status"])),
        ("lines", ", ".join(f"{value} {name}" for name, value in counts.items() if value or name == "total")),
        ("cost", note(batch)),
        ("output", str(batch["output_file_id"] or "–")),
        ("errors", str(batch["error_file_id"] or "–")),
    ]
    for error in batch["errors"][:10]:
        where = "file" if error["line"] is None else f"line {error['line']}"
        shown.append((where, f"{error['code']}: {error['message']}"))
    if len(batch["errors"]) > 10:
        shown.append(("", f"… {len(batch['errors']) - 10} more errors"))
    return shown
