"""What was measured, kept as it comes: a run that was killed goes on from there.

Law: a line is in the journal as a whole or not at all; a torn one is as if it had never been. A folder belongs to one
setting (models, temperature, problems), and another setting's is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from domain.errors import ConfigurationError
from evaluation.curving.pools import Block, block_from_json
from evaluation.curving.rows import Row, Unit

SETTING = "setting.json"


@dataclass
class Kept:
    """All that a folder holds."""

    rows: dict[Unit, Row] = field(default_factory=dict)
    blocks: dict[tuple[str, int], dict[int, Block]] = field(default_factory=dict)
    """By problem and seed, then by the number of the first sample."""

    def add(self, line: Mapping[str, Any]) -> None:
        if "block" in line:
            block = block_from_json(line["block"])
            self.blocks.setdefault((block.problem, block.seed), {})[block.first] = block
        else:
            row = Row(**line["row"])
            self.rows[row.unit] = row


def open_folder(folder: Path, setting: Mapping[str, Any]) -> None:
    """Raises ConfigurationError for the folder of another setting."""
    folder.mkdir(parents=True, exist_ok=True)
    path, text = folder / SETTING, json.dumps(setting, sort_keys=True)
    if not path.exists():
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        raise ConfigurationError(f"{folder} holds what another setting measured: name another --journal, or remove it")


def read_folder(folder: Path, *, blocks: bool = True) -> Kept:
    """Everything that was measured so far; without `blocks` the rows alone."""
    kept = Kept()
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").split("\n")[:-1]:  # what follows the last line break was torn
            line = _parsed(text)
            if line is not None and (blocks or "row" in line):
                kept.add(line)
    return kept


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except ValueError:
        return None
    return line if isinstance(line, dict) and ("row" in line or "block" in line) else None


class Journal:
    """One worker's file."""

    def __init__(self, folder: Path, name: str) -> None:
        path = folder / f"{name}.jsonl"
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        self._file: TextIO = path.open("a", encoding="utf-8")
        if torn:
            self._file.write("\n")  # so that what comes next is a line of its own

    def put(self, rows: Iterable[Row] = (), blocks: Iterable[Block] = ()) -> None:
        lines = [json.dumps({"row": one.as_json()}) for one in rows]
        lines += [json.dumps({"block": one.as_json()}) for one in blocks]
        if lines:
            self._file.write("\n".join(lines) + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()
