"""Values to JSON and back. Union members are told apart by a `type`, so that a stored trace explains itself.

Two forms, one decoder: `encode` is whole (what clients see), `encode_stored` leaves out what a measured amount has by
default (zero tokens, nothing equivalent): a trace is mostly such amounts. Settings are always whole, since the defaults
of a setting may change and those of an amount never do.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any

from domain.budget import Spend
from domain.events import Event
from domain.moves import Failed, Sampled, Scored
from domain.problem import TextPart
from domain.recipe import SPECS

Decoder = Callable[[Any], Any]


def _snake(name: str) -> str:
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")


_EVENTS = typing.get_args(Event)
_KINDS: dict[type, str] = (
    {member: _snake(member.__name__) for member in (*_EVENTS, Sampled, Scored, Failed)}
    | {spec: name for name, spec in SPECS.items()}
    | {TextPart: "text"}
)


_AMOUNTS: frozenset[type] = frozenset({Spend, Sampled, Scored, Failed})
"""What was measured. Their defaults mean "none", for ever: a stored trace may leave them out."""


def encode(value: Any) -> Any:
    """JSON-able form of any domain value; dataclasses become objects, union members carry their `type`."""
    return _encoded(value, frozenset())


def encode_stored(value: Any) -> Any:
    """The same without the defaults of amounts; `decode` and `decode_event` read both forms."""
    return _encoded(value, _AMOUNTS)


def _encoded(value: Any, sparse: frozenset[type]) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return value
    if isinstance(value, (tuple, list)):
        return [_encoded(item, sparse) for item in value]
    shape: Any = type(value)
    names, kind, defaults = _shape(shape)
    body = {} if kind is None else {"type": kind}
    for name in names:
        item = getattr(value, name)
        if shape not in sparse or not _is_default(item, defaults.get(name, MISSING)):
            body[name] = _encoded(item, sparse)
    return body


def _is_default(item: Any, default: Any) -> bool:
    """Of the same type, too: 0 is not 0.0 where a text is to be the same."""
    return type(item) is type(default) and bool(item == default)


def decode_event(data: Any) -> Event:
    """An event from its JSON. Raises KeyError, TypeError or ValueError when the data is not an event."""
    return typing.cast(Event, _union(_EVENTS)(data))


def decode(kind: type, data: Any) -> Any:
    """A value of the dataclass `kind` from its JSON."""
    return _decoder(kind)(data)


@cache
def _shape(kind: type) -> tuple[tuple[str, ...], str | None, dict[str, Any]]:
    """Its members, its `type`, and the defaults of those that have one."""
    if not is_dataclass(kind):
        raise TypeError(f"no JSON form for {kind.__name__}")
    defaults = {item.name: item.default for item in fields(kind) if item.default is not MISSING}
    return tuple(item.name for item in fields(kind)), _KINDS.get(kind), defaults


@dataclass(frozen=True)
class _Record:
    """Decoder of one dataclass; missing members take their defaults, or what their absence meant before there were
    any, so that old traces stay readable and mean what they did."""

    kind: type
    members: dict[str, Decoder]
    before: dict[str, Any]

    def __call__(self, data: Any) -> Any:
        return self.kind(
            **self.before | {name: read(data[name]) for name, read in self.members.items() if name in data}
        )


@cache
def _decoder(hint: Any) -> Decoder:
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple(item(part) for part in data)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        before = {item.name: item.metadata.get("before") for item in fields(hint)}
        known = {name: value for name, value in before.items() if value is not None}
        return _Record(hint, {item.name: _decoder(hints[item.name]) for item in fields(hint)}, known)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if hint is float:
        return float
    return lambda data: data


@cache
def _union(members: tuple[Any, ...]) -> Decoder:
    tagged = {_KINDS[member]: _decoder(member) for member in members if member in _KINDS}
    plain = [_decoder(member) for member in members if member not in _KINDS and member is not type(None)]
    if tagged:
        return lambda data: None if data is None else tagged[data["type"]](data)
    if len(plain) > 1:  # scalars, which JSON tells apart by itself
        return lambda data: data
    (only,) = plain
    return lambda data: None if data is None else only(data)
