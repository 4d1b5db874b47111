"""How benchmarks report: progress on stderr, one JSON object as the last line on stdout, a dated page of a full run."""

from __future__ import annotations

import datetime
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "results"


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
