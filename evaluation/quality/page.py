"""What a full run leaves beside its page and its JSON: every number as CSV, and three figures as PNG and SVG."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evaluation.quality.figures import draw_figures
from evaluation.quality.result import Result
from evaluation.quality.summary import Sheet
from evaluation.report import RESULTS
from evaluation.statistics import Interval


def write_extras(sheet: Sheet, result: Result, folder: Path = RESULTS / "models") -> str:
    """Gives the Markdown that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    write_csv(folder / f"{date}.csv", result.found)
    names = draw_figures(sheet, result, folder, date)
    shown = "\n\n".join(f"![{title}]({name}.png)" for name, title in names.items())
    return f"\n\n## Figures\n\n{shown}\n\nAll numbers: [{date}.csv]({date}.csv)."


def write_csv(path: Path, found: Mapping[str, Any]) -> None:
    """One line for each number: its key, the keys within it, the value and its interval."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["key", "part", "value", "low", "high"])
        writer.writerows(rows(found))


def rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    for key, tree in found.items():
        for part, one in _leaves(tree, ()):
            numbers = [f"{number:.5f}" for number in (one.value, one.low, one.high)] if one.known else [""] * 3
            yield [key, part, *numbers]


def _leaves(tree: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Interval]]:
    if isinstance(tree, Interval):
        yield "/".join(path), tree
    else:
        for key, part in tree.items():
            yield from _leaves(part, (*path, key))
