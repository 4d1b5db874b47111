"""How benchmarks report: progress on stderr, one JSON object as the last line on stdout, a dated page of a full run."""

from __future__ import annotations

import datetime
import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"
EVERY_S = 10.0
"""Between two lines of progress."""


@contextmanager
def quiet() -> Iterator[None]:
    """Without the libraries' warnings; what was logged before is logged again afterwards."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


class Ticker:
    """A line of progress every ten seconds, with how long the rest will take."""

    def __init__(self, name: str, total: int) -> None:
        self._name, self._total, self._done = name, total, 0
        self._start = self._said = time.monotonic()

    def tick(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said > EVERY_S or self._done == self._total:
            rest = (now - self._start) / self._done * (self._total - self._done)
            say(f"{self._name}: {self._done:,}/{self._total:,}, {rest:.0f} s to go")
            self._said = now


def finish(name: str, command: str, result: dict[str, Any], table: str, *, full: bool) -> None:
    """Print the JSON; a full run also writes `docs/results/<name>/<date>.md` and `.json`."""
    if full:
        _write(name, command, result, table)
    say(table)
    print(json.dumps(result), flush=True)


def _write(name: str, command: str, result: dict[str, Any], table: str) -> None:
    folder = RESULTS / name
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    page = f"# {name}, {date}\n\nCommand: `{command}`\nCommit: `{_commit()}`\n\n{table}\n"
    (folder / f"{date}.md").write_text(page)
    (folder / f"{date}.json").write_text(json.dumps(result, indent=2) + "\n")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
