"""What `evaluation.fuzz` has schemathesis change in its requests, so that it tests the service and not itself.

* Each request gets an Idempotency-Key of its own where it has a well-formed one. Else the same few keys with other
  bodies would be refused, and nothing behind that would be tested.
* The key and the tenant that make the requests are left alone: a limit of one request a minute, set on itself, would
  end the run.
"""

from __future__ import annotations

import os
import re
import uuid
from typing import Any

import schemathesis
from schemathesis.core.parameters import ParameterLocation

from domain.attempt import KEY_PATTERN

OWN = frozenset(os.environ.get("FUZZ_OWN", "").split(","))
"""Ids and names."""
KEY = "Idempotency-Key"


@schemathesis.hook
def before_call(context: Any, case: Any, **kwargs: Any) -> None:
    headers = case.headers or {}
    if _headers_are_right(case) and isinstance(headers.get(KEY), str) and re.match(KEY_PATTERN, headers[KEY]):
        headers[KEY] = str(uuid.uuid4())
    if case.method != "GET" and case.path.startswith("/v1/admin/"):
        for name, value in (case.path_parameters or {}).items():
            if value in OWN:
                case.path_parameters[name] = f"{value}x"


def _headers_are_right(case: Any) -> bool:
    """A case that lacks a header would get it back when its headers are changed."""
    found = None if case.meta is None else case.meta.components.get(ParameterLocation.HEADER)
    return found is None or found.mode.is_positive
