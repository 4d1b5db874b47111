"""Results of a batch as a download: JSON lines, CSV (RFC 4180), or Parquet where pyarrow is installed.

Law: the pages of results go out, or to a temporary file, one at a time; memory does not grow with the batch.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, fields
from typing import Any

from api.problems import HttpProblem
from storage.batch_reading import LineResult

Pages = AsyncIterator[list[LineResult]]
READ_BYTES = 256 * 1024
COLUMNS = tuple(item.name for item in fields(LineResult))
_INTEGERS = ("line", "generated_tokens", "verified_tokens", "rollouts")
_NUMBERS = ("confidence", "flops")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_TEXTS = ("custom_id", "answer", "error")


async def as_jsonl(pages: Pages) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(json.dumps(asdict(one), separators=(",", ":")).encode("ascii") + b"\n" for one in page)


async def as_csv(pages: Pages) -> AsyncIterator[bytes]:
    yield _csv_rows([COLUMNS])
    async for page in pages:
        yield _csv_rows([[_cell(name, getattr(one, name)) for name in COLUMNS] for one in page])


async def as_parquet(pages: Pages) -> AsyncIterator[bytes]:
    """Raises HttpProblem where pyarrow is missing; call `need_parquet` before the answer begins."""
    arrow, parquet = need_parquet()
    schema = _schema(arrow)
    with tempfile.TemporaryFile() as file:
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            async for page in pages:
                rows = [{name: _whole_text(getattr(one, name)) for name in COLUMNS} for one in page]
                table = arrow.Table.from_pylist(rows, schema=schema)
                await asyncio.to_thread(writer.write_table, table)
        file.seek(0)
        while data := await asyncio.to_thread(file.read, READ_BYTES):
            yield data


def need_parquet() -> tuple[Any, Any]:
    """Raises HttpProblem."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise HttpProblem(
            501,
            "not_installed",
            "This service has no pyarrow: install it with `pip install deliberate[parquet]`, or ask for format=csv.",
            param="format",
        ) from None
    return pyarrow, pyarrow.parquet


FORMATS: dict[str, tuple[Callable[[Pages], AsyncIterator[bytes]], str]] = {
    "jsonl": (as_jsonl, "application/jsonl"),
    "csv": (as_csv, "text/csv; charset=utf-8"),
    "parquet": (as_parquet, "application/vnd.apache.parquet"),
}
"""Writer and media type of each format."""


def _schema(arrow: Any) -> Any:
    def kind(name: str) -> Any:
        return arrow.int64() if name in _INTEGERS else arrow.float64() if name in _NUMBERS else arrow.string()

    return arrow.schema([(name, kind(name)) for name in COLUMNS])


def _csv_rows(rows: list[Any]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def _cell(name: str, value: Any) -> Any:
    """A text that a spreadsheet would run as a formula gets a quote before it, unless it is a number (OWASP)."""
    if name in _TEXTS and isinstance(value, str) and value.startswith(_DANGEROUS) and not _is_number(value):
        return f"'{value}"
    return value


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def _whole_text(value: Any) -> Any:
    """Arrow's strings are UTF-8, which has no bytes for half of a surrogate pair."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
