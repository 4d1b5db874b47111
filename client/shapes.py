"""What the server gives, as frozen values. A member that this version does not know is in `raw`."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache
from typing import Any, Generic, TypedDict, TypeVar

T = TypeVar("T")

FINAL = frozenset({"completed", "incomplete", "failed", "cancelled"})


class JobOptions(TypedDict, total=False):
    """All that a job may be given beside its problem; see the API's documentation at /docs."""

    strategy: str | dict[str, Any]
    effort: str
    budget: dict[str, float]
    confidence: float
    webhook_url: str
    webhook_events: list[str]
    metadata: dict[str, str]
    labels: list[str]
    seed: int
    priority: int
    deadline: float | str
    deadline_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    prompt_tokens: int = 0
    generated_tokens: int = 0
    verified_tokens: int = 0
    cached_tokens: int = 0
    flops: float = 0.0
    rollouts: int = 0
    verifier_calls: int = 0
    seconds: float = 0.0
    queue_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    answer: str
    votes: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    id: str
    status: str
    answer: str | None = None
    confidence: float | None = None
    confidence_kind: str | None = None
    stop_reason: str | None = None
    solution: str | None = None
    why: str | None = None
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = field(default_factory=Usage)
    error: dict[str, Any] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    seed: int = 0
    priority: int = 0
    deadline: float | None = None
    queue_position: int | None = None
    estimated_start_at: float | None = None
    estimated_finish_at: float | None = None
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A message of a job's live stream, e.g. `node.scored`; what it says besides is in `raw`."""

    type: str
    seq: int
    at: float
    id: str = ""
    """Where to go on from."""
    node: int | None = None
    answer: str | None = None
    confidence: float | None = None
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceEvent:
    type: str
    seq: int
    at: float
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    id: str
    event_type: str
    url: str
    status: str
    attempts: int
    job_id: str | None = None
    endpoint_id: str | None = None
    last_status_code: int | None = None
    last_error: str | None = None
    next_attempt_at: float | None = None
    delivered_at: float | None = None
    created_at: float = 0.0
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    id: str
    name: str
    url: str
    event_types: tuple[str, ...]
    created_at: int = 0
    updated_at: int = 0
    enabled: bool = True
    disabled_reason: str | None = None
    signing_secret_hint: str | None = None
    signing_secret: str | None = field(default=None, repr=False)
    """Only where it was made just now."""
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A verified webhook."""

    id: str
    type: str
    created_at: int
    data: dict[str, Any]
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    id: str
    filename: str = ""
    bytes: int = 0
    purpose: str = ""
    created_at: int = 0
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch of problems. Counts and costs are in `raw`."""

    id: str
    status: str
    created_at: float = 0.0
    metadata: dict[str, str] = field(default_factory=dict)
    raw: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list, newest first."""

    data: tuple[T, ...]
    has_more: bool
    last_id: str | None

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)


def read(kind: type[T], data: Mapping[str, Any]) -> T:
    """A value of the dataclass `kind` from its JSON; unknown members are left to `raw`."""
    shape: Any = kind
    values = {name: reader(data[name]) for name, reader in _readers(shape).items() if name in data}
    if any(item.name == "raw" for item in fields(shape)):
        values["raw"] = dict(data)
    return kind(**values)


def read_page(kind: type[T], data: dict[str, Any]) -> Page[T]:
    return Page(tuple(read(kind, one) for one in data["data"]), bool(data.get("has_more")), data.get("last_id"))


@cache
def _readers(kind: Any) -> dict[str, Callable[[Any], Any]]:
    hints = typing.get_type_hints(kind)
    return {name: _reader(hint) for name, hint in hints.items() if name != "raw"}


def _reader(hint: Any) -> Callable[[Any], Any]:
    if typing.get_origin(hint) is tuple:
        item = _reader(typing.get_args(hint)[0])
        return lambda value: tuple(item(one) for one in value or ())
    if typing.get_origin(hint) is types.UnionType:
        return lambda value: value
    if is_dataclass(hint):
        return lambda value: read(typing.cast(type, hint), value or {})
    return lambda value: value
