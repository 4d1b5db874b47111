"""JSON in, strictly: one object, UTF-8, finite numbers, no name twice, bounded depth, text that can be stored.

What Python's reader lets through beyond RFC 8259 (NaN, Infinity, 1e999) is refused, and so are lone surrogates.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

from starlette.requests import ClientDisconnect, Request

from api.problems import HttpProblem
from domain.errors import InvalidRequest

DEEPEST = 32
LONGEST_NUMBER = 40
SLOWEST_S = 30.0
"""A body must be here after this time."""


async def read_object(request: Request) -> tuple[dict[str, Any], bytes]:
    """The body's object and its bytes. Raises HttpProblem (400, 408, 413, 415) or InvalidRequest naming the member."""
    _check_type(request.headers.get("content-type", ""))
    try:
        async with asyncio.timeout(SLOWEST_S):
            raw = await request.body()
    except TimeoutError:
        raise HttpProblem(408, "request_timeout", f"The body did not arrive within {SLOWEST_S:g} s.") from None
    except ClientDisconnect:
        raise HttpProblem(400, "invalid_request", "The connection closed before the body was complete.") from None
    value = parse(raw)
    if not isinstance(value, dict):
        raise HttpProblem(400, "invalid_json", 'The body must be a JSON object such as {"problem": "1 + 1 = ?"}.')
    return value, raw


async def read_object_or_nothing(request: Request) -> dict[str, Any]:
    """The same for a body that may be left out."""
    if not await request.body():
        return {}
    return (await read_object(request))[0]


def parse(raw: bytes) -> Any:
    try:
        value = json.loads(
            raw.decode(),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded_int,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError:
        raise HttpProblem(400, "invalid_json", "The body is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise HttpProblem(400, "invalid_json", f"The body is not valid JSON: {error.msg} ({where}).") from None
    except RecursionError:
        raise _too_deep() from None
    _check_inside(value)
    return value


def _check_type(content_type: str) -> None:
    kind, _, _ = content_type.partition(";")
    if kind.strip().lower() != "application/json":
        raise HttpProblem(415, "unsupported_media_type", "Send the header Content-Type: application/json.")


def _refuse_constant(name: str) -> Any:
    raise HttpProblem(400, "invalid_json", f"The body is not valid JSON: {name} is not a JSON number.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise HttpProblem(400, "invalid_json", "The body holds a number that is too large.")
    return number


def _bounded_int(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise HttpProblem(400, "invalid_json", "The body holds a number that is too large.")
    return int(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise HttpProblem(400, "invalid_json", "The body has an object with the same member twice.")
    return members


def _check_inside(value: Any) -> None:
    """Without recursion: the input says how deep it goes."""
    level: list[tuple[str, Any]] = [("", value)]
    for _ in range(DEEPEST):
        level = [(path, inner) for where, item in level for path, inner in _members(where, item)]
        if not level:
            return
    raise _too_deep()


def _members(where: str, item: Any) -> list[tuple[str, Any]]:
    if isinstance(item, str):
        _check_text(where, item)
        return []
    if isinstance(item, list):
        return [(f"{where}.{index}", inner) for index, inner in enumerate(item)]
    if isinstance(item, dict):
        for name in item:
            _check_text(where, name)
        return [(f"{where}.{name}", inner) for name, inner in item.items()]
    return []


def _check_text(where: str, text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        param = where.removeprefix(".") or None
        raise InvalidRequest("text holds half of a surrogate pair: send whole characters", param=param) from None


def _too_deep() -> HttpProblem:
    return HttpProblem(400, "invalid_json", f"The body is nested deeper than {DEEPEST} levels.")
