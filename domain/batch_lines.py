"""One line of a batch's file: a request `{custom_id, method, url, body}`, or a bare problem `{id, problem, …}`.

Law: whatever the line holds, the outcome is a request that can be run or one LineFault that names what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.batch import MAX_CUSTOM_ID_CHARS, MAX_LINE_BYTES, NATIVE
from domain.dialects import Dialects, LineRequest
from domain.errors import InvalidRequest, UnknownModel

PROBLEM_MEMBERS = ("problem", "strategy", "effort", "budget", "confidence", "seed", "metadata")
"""What is read of a bare problem; other members (a reference answer, a level) are left alone."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line can't be run."""

    code: str
    message: str
    param: str | None = None
    custom_id: str | None = None
    """Where one could be read."""
    status: int | None = None
    """HTTP status of the answer, where the line's body is what is wrong."""


@dataclass(frozen=True, slots=True)
class Line:
    custom_id: str
    body: dict[str, Any]
    request: LineRequest


class _Fault(Exception):
    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.param = code, message, param


def read_line(
    raw: bytes, number: int, endpoint: str, defaults: Mapping[str, Any], dialects: Dialects
) -> Line | LineFault:
    """`raw` without its line break, `number` from 1; `defaults` of the batch for native bodies."""
    custom_id = None
    try:
        value = _object(raw)
        custom_id = _custom_id(value, number, endpoint)
        body = _body(value, endpoint)
        return Line(custom_id, body, dialects.request(endpoint, body, defaults))
    except _Fault as fault:
        return LineFault(fault.code, fault.message, fault.param, custom_id)
    except (InvalidRequest, UnknownModel) as error:
        param = None if error.param is None else f"body.{error.param}"
        status = 404 if isinstance(error, UnknownModel) else 400
        return LineFault(error.code, error.message, param, custom_id, status)


def too_long() -> LineFault:
    return LineFault("line_too_long", f"The line is longer than {MAX_LINE_BYTES} bytes.")


def duplicate(custom_id: str) -> LineFault:
    return LineFault("duplicate_custom_id", "An earlier line has the same custom_id.", "custom_id", custom_id)


def _object(raw: bytes) -> dict[str, Any]:
    if not raw.strip():
        raise _Fault("blank_line", "The line is blank.")
    if len(raw) > MAX_LINE_BYTES:
        raise _Fault("line_too_long", f"The line is longer than {MAX_LINE_BYTES} bytes.")
    try:
        value = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        # The decoder's own text may repeat some of the line, and errors are shown in lists and logs.
        raise _Fault("invalid_json_line", "The line is not valid JSON (UTF-8, one object a line).") from None
    if not isinstance(value, dict):
        raise _Fault("invalid_json_line", "The line is JSON, but not an object.")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _is_request(value: Mapping[str, Any]) -> bool:
    return any(name in value for name in ("body", "url", "method"))


def _custom_id(value: Mapping[str, Any], number: int, endpoint: str) -> str:
    given = value.get("custom_id")
    if given is None and endpoint == NATIVE and not _is_request(value):
        given = value.get("id", f"line-{number}")
        given = str(given) if isinstance(given, int) and not isinstance(given, bool) else given
    if given is None:
        raise _Fault("missing_custom_id", "The line has no custom_id.", "custom_id")
    if not isinstance(given, str) or not 1 <= len(given) <= MAX_CUSTOM_ID_CHARS or not _storable(given):
        limit = f"a string of 1 to {MAX_CUSTOM_ID_CHARS} characters"
        raise _Fault("invalid_custom_id", f"custom_id must be {limit}.", "custom_id")
    return given


def _storable(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _body(value: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    if endpoint == NATIVE and not _is_request(value):
        problem = {name: value[name] for name in PROBLEM_MEMBERS if value.get(name) is not None}
        return problem if "problem" in problem else problem | {"problem": value.get("question")}
    if value.get("method") != "POST":
        raise _Fault("invalid_method", "method must be 'POST'.", "method")
    if value.get("url") != endpoint:
        raise _Fault("mismatched_url", f"url must be the batch's endpoint, {endpoint}.", "url")
    body = value.get("body")
    if not isinstance(body, dict):
        raise _Fault("invalid_body", "body must be an object.", "body")
    return body
