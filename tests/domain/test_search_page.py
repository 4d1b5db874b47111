"""docs/search.md says what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

from domain.effort import EFFORTS, adaptive_for
from domain.recipe import SPECS
from domain.verdict import ConfidenceKind, StopReason, status_after

PAGE = Path(__file__).resolve().parents[2] / "docs" / "search.md"


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str]]:
    """Cells of all tables, by each of the names that a row's first cell holds."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("`"): row[1:] for row in cells for name in row[0].split(", ")}


def test_every_strategy_has_its_row(rows: dict[str, list[str]]) -> None:
    assert [name for name in rows if name in SPECS] == list(SPECS)


def test_efforts_are_what_they_are_said_to_be(rows: dict[str, list[str]]) -> None:
    written = {name: [float(cell) for cell in rows[name]] for name in EFFORTS}
    meant = {name: adaptive_for(name) for name in EFFORTS}
    assert written == {name: [one.n, one.price, one.confidence] for name, one in meant.items()}


def test_every_end_and_every_kind_of_confidence_is_explained(rows: dict[str, list[str]]) -> None:
    assert {reason.value: rows[reason][0].strip("`") for reason in StopReason} == {
        reason.value: status_after(reason).value for reason in StopReason
    }
    assert all(rows[kind] for kind in ConfidenceKind)
