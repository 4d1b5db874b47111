"""The settings of the scripted models, and the hash that stands for chance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

from domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Script:
    accuracy: float = 0.6
    """Share of the policy's solutions that are right."""
    auc: float = 0.8
    """How well the verifier tells right from wrong: the chance that it ranks a right step above a wrong one."""
    tokens: int = 60
    """Tokens that a whole solution is said to have."""
    delay_ms: float = 0.0
    """Time that a call takes; any number of calls run at once."""
    fail: float = 0.0
    """Share of attempts that fail; a new attempt of the same call draws again."""
    seed: int = 0
    steps: int = 3
    """Steps of a solution to a problem that is no arithmetic expression."""
    parameters: int = 1_000_000
    context: int = 100_000
    die_after: int | None = None
    """The process exits (code 17) at the call after this many."""
    hang_after: int | None = None
    """Calls after this many never end; they can be aborted."""


def parse_script(spec: str) -> Script:
    """From `scripted` or `scripted:name=value,…`. Raises ConfigurationError naming the option."""
    _, _, options = spec.partition(":")
    known = {item.name: item.type for item in fields(Script)}
    values: dict[str, float | int] = {}
    for option in filter(None, options.split(",")):
        name, _, raw = option.partition("=")
        if name not in known:
            raise ConfigurationError(f"scripted model: unknown option {name!r}: use {', '.join(known)}")
        try:
            values[name] = float(raw) if known[name] == "float" else int(raw)
        except ValueError:
            raise ConfigurationError(f"scripted model: option {name!r} needs a number") from None
    return Script(**values)  # type: ignore[arg-type]


def chance(*path: object) -> float:
    """A number in [0, 1) that depends on the path only."""
    digest = hashlib.blake2b("\x1f".join(map(str, path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
