"""The bodies of /v1/webhook_endpoints, read member by member; each complaint names the member."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import InvalidRequest
from domain.webhook_events import EVENT_TYPES, parse_endpoint_events
from messaging.addresses import Networks, url_refusal

LONGEST_NAME = 256
MEMBERS = ("name", "url", "event_types")


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """None: leave it as it is."""

    name: str | None
    url: str | None
    event_types: tuple[str, ...] | None
    enabled: bool | None


def parse_new_endpoint(body: Mapping[str, Any], allowed: Networks) -> tuple[str, str, tuple[str, ...]]:
    """Name, URL and event types. Raises InvalidRequest."""
    _refuse_unknown(body, MEMBERS)
    for member in MEMBERS:
        if body.get(member) is None:
            raise InvalidRequest(f"{member} is missing", param=member)
    return _name(body["name"]), _url(body["url"], allowed), parse_endpoint_events(body["event_types"])


def parse_change(body: Mapping[str, Any], allowed: Networks) -> EndpointChange:
    """Raises InvalidRequest."""
    _refuse_unknown(body, (*MEMBERS, "enabled"))
    name, url, types = (body.get(member) for member in MEMBERS)
    return EndpointChange(
        name=None if name is None else _name(name),
        url=None if url is None else _url(url, allowed),
        event_types=None if types is None else parse_endpoint_events(types),
        enabled=_flag(body, "enabled"),
    )


def parse_overlap(body: Mapping[str, Any]) -> bool:
    """Whether the old secret is to sign for another 24 hours. Raises InvalidRequest."""
    _refuse_unknown(body, ("keep_old_secret_active_for_24_hours",))
    return bool(_flag(body, "keep_old_secret_active_for_24_hours"))


def parse_test(body: Mapping[str, Any]) -> str:
    """The event type of which a sample is to be sent. Raises InvalidRequest."""
    _refuse_unknown(body, ("event_type",))
    kind = body.get("event_type")
    if kind not in EVENT_TYPES:
        raise InvalidRequest(f"event_type must be one of {', '.join(EVENT_TYPES)}", param="event_type")
    return str(kind)


def _refuse_unknown(body: Mapping[str, Any], members: tuple[str, ...]) -> None:
    for name in body:
        if name not in members:
            raise InvalidRequest(f"unknown member {name[:64]!r}: use {', '.join(members)}", param=name[:64])


def _name(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME or "\x00" in value:
        raise InvalidRequest(f"name must be a string of 1 to {LONGEST_NAME} characters", param="name")
    return value


def _url(value: object, allowed: Networks) -> str:
    if not isinstance(value, str):
        raise InvalidRequest("url must be a string", param="url")
    refusal = url_refusal(value, allowed)
    if refusal is not None:
        raise InvalidRequest(f"url {refusal}", param="url")
    return value


def _flag(body: Mapping[str, Any], member: str) -> bool | None:
    value = body.get(member)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequest(f"{member} must be true or false", param=member)
    return value
