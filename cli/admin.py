"""The operator's calls to a running service, and how their answers look on a terminal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from domain.errors import InvalidRequest

if TYPE_CHECKING:
    from cli.service import Service

NO_VALUE = "–"
NO_LIMIT = "none"


def service(url: str | None) -> Service:
    from cli.service import Service, find

    return Service(find(url))


def print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned, without lines, so that `awk` reads it as well as a person does."""
    lines = [tuple(columns), *(tuple(map(shown, row)) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def shown(value: object) -> str:
    if value is None or value == "":
        return NO_VALUE
    return f"{value:,.6g}" if isinstance(value, float) else str(value)


def day(at: float | None) -> str | None:
    """A moment as its UTC day."""
    return None if at is None else datetime.datetime.fromtimestamp(at, datetime.UTC).date().isoformat()


def minute(at: float) -> str:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")


def limit_values(options: Mapping[str, str | None]) -> dict[str, float | int | None]:
    """The limits that were given; `none` takes one away. Raises InvalidRequest."""
    return {name: _limit(name, value) for name, value in options.items() if value is not None}


def _limit(name: str, value: str) -> float | int | None:
    if value == NO_LIMIT:
        return None
    try:
        number = float(value)
    except ValueError:
        raise InvalidRequest(f"{name} is {value!r}: use a number, or `none` for no limit", param=name) from None
    return int(number) if number == int(number) else number


def since_day(text: str | None) -> str | None:
    """`2026-11-01`, or `30d`: so many days back. Raises InvalidRequest."""
    if text is None:
        return None
    try:
        if text.endswith("d"):
            today = datetime.datetime.now(datetime.UTC).date()
            return (today - datetime.timedelta(days=int(text[:-1]))).isoformat()
        return datetime.date.fromisoformat(text).isoformat()
    except (ValueError, OverflowError):
        raise InvalidRequest(f"{text!r} is no day: use 2026-11-01, or 30d for 30 days back", param="since") from None


def seconds(text: str | None, name: str) -> float | None:
    """`90s`, `15m`, `12h`, `30d` or plain seconds. Raises InvalidRequest."""
    if text is None:
        return None
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1:], 0)
    try:
        return float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        raise InvalidRequest(f"{text!r} is no time: use 90s, 15m, 12h or 30d", param=name) from None


def segment(text: str) -> Any:
    """A name or id as a part of a path. Raises InvalidRequest."""
    if not text or not text.replace("_", "").replace("-", "").replace(".", "").isalnum() or not text.isascii():
        raise InvalidRequest(f"{text!r} is neither an id nor a name", param="id")
    return text
