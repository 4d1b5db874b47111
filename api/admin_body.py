"""What an operator sends: names, limits, scopes, times. Each complaint names the member."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from domain.errors import InvalidRequest
from domain.limits import LIMIT_NAMES, parse_limits
from domain.scopes import OF_TENANTS, parse_scopes

LONGEST_NAME = 64
LONGEST_LABEL = 200
LONGEST_S = 10 * 365 * 86_400.0
LONGEST_OVERLAP_S = 30 * 86_400.0
DEFAULT_OVERLAP_S = 86_400.0
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def tenant_name(body: Mapping[str, Any]) -> str:
    name = body.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("ten_"):
        raise InvalidRequest(
            f"name must be 1 to {LONGEST_NAME} of a-z, 0-9, '.', '_' and '-', and not begin with ten_", param="name"
        )
    return name


def limits(body: Mapping[str, Any], *beside: str) -> dict[str, Any]:
    refuse_unknown(body, (*beside, *LIMIT_NAMES))
    return parse_limits({name: body[name] for name in LIMIT_NAMES if name in body})


def label(body: Mapping[str, Any]) -> str:
    value = body.get("label")
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_LABEL or not value.isprintable():
        raise InvalidRequest(f"label must be 1 to {LONGEST_LABEL} printable characters", param="label")
    return value


def scopes(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Left out: all that a tenant may do, without the operator's."""
    value = body.get("scopes")
    if value is None:
        return OF_TENANTS
    if not isinstance(value, list):
        raise InvalidRequest("scopes must be a list", param="scopes")
    return parse_scopes(value)


def seconds(body: Mapping[str, Any], name: str, highest: float, default: float | None) -> float | None:
    """Left out or null: the default."""
    value = default if body.get(name) is None else body[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InvalidRequest(f"{name} must be a number of seconds", param=name)
    if not 0 <= value <= highest:
        raise InvalidRequest(f"{name} must be from 0 to {highest:g} seconds", param=name)
    return float(value)


def refuse_unknown(body: Mapping[str, Any], members: tuple[str, ...]) -> None:
    for name in body:
        if name not in members:
            raise InvalidRequest(f"unknown member {name[:64]!r}: use {', '.join(members)}", param=name[:64])
