"""How the columns and CHECK constraints of `storage.tables` are spelt: the same thing is the same everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Double, ForeignKey, Text, text

from domain.budget import Spend
from domain.job import FINAL, JobStatus
from domain.verdict import StopReason, status_after

SPEND_COLUMNS = tuple(field.name for field in fields(Spend))


def one_of(column: str, values: Iterable[str]) -> str:
    return f"{column} IN ({', '.join(repr(str(value)) for value in values)})"


def final_has(column: str) -> str:
    return f"({one_of('status', [status for status in JobStatus if status in FINAL])}) = ({column} IS NOT NULL)"


def status_of_reason() -> str:
    cases = (f"WHEN '{reason}' THEN '{status_after(reason)}'" for reason in StopReason)
    return f"stop_reason IS NULL OR status = CASE stop_reason {' '.join(cases)} ELSE 'unknown' END"


def check(name: str, law: str) -> CheckConstraint:
    return CheckConstraint(law, name=name)


def key(name: str = "id") -> Column[Any]:
    return Column(name, Text, nullable=False)


def owner(table: str, column: str, *, nullable: bool = False) -> Column[Any]:
    return Column(column, Text, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=nullable)


def moment(name: str) -> Column[Any]:
    """A moment on the database's clock, set by the row's insertion."""
    return Column(name, DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()"))


def later(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True))


def amounts() -> list[Column[Any]]:
    kinds: dict[str, Any] = {name: BigInteger for name in SPEND_COLUMNS} | {"flops": Double}
    return [Column(name, kind, nullable=False, server_default=text("0")) for name, kind in kinds.items()]


def no_negative_amount() -> CheckConstraint:
    # A FLOPs sum of NaN or infinity would pass `>= 0`: an upper limit refuses both.
    laws = [f"{name} >= 0" for name in SPEND_COLUMNS] + ["flops < 'Infinity'"]
    return check("amounts", " AND ".join(laws))
