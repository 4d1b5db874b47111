"""The settings that all processes share, read from `DELIBERATE_*` variables. `.env.example` lists every one."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeAlias

from domain.errors import ConfigurationError
from domain.limits import Prices

PREFIX = "DELIBERATE_"
MODELS = Path(__file__).resolve().parent.parent / "models"

NO_VERIFIER = "none"
"""The verifier setting of a stack that has none."""

SERVICE_MODEL = "deliberate"
"""The name of the policy at its default effort, for clients that name a model."""

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Settings:
    home: Path
    """Data, logs, sockets and keys of an embedded stack."""
    host: str = "127.0.0.1"
    port: int = 8080
    database_url: str | None = None
    """`postgresql://…`; None: the embedded Postgres of `deliberate up`."""
    redis_url: str | None = None
    ray_address: str | None = None
    policy: str = str(MODELS / "policy")
    """Path or id of a Hugging Face causal LM, or `scripted:…`."""
    verifier: str = str(MODELS / "verifier")
    """Path or id of a process reward model, `scripted:…`, or `none`."""
    policy_replicas: int | None = None
    """None: sized by the cores and GPUs of the cluster."""
    verifier_replicas: int | None = None
    api_keys: tuple[str, ...] = ()
    """Bootstrap keys that the API accepts beside the ones in the database."""
    webhook_allowed_networks: tuple[Network, ...] = ()
    """Private or loopback networks to which webhooks may be sent; empty: none."""
    max_jobs: int = 256
    """Searches that one orchestrator runs at once."""
    lease_s: float = 15.0
    calls_per_engine: int = 96
    """Calls in one engine at once; more wait where tenants share fairly. A batch of 64 rows and half of another."""
    price_prompt: float = 0.0
    """Money per million prompt tokens, in any one currency; so the next two."""
    price_generated: float = 0.0
    price_verified: float = 0.0
    price_exaflop: float = 0.0
    """Money per 10^18 floating-point operations."""
    batch_window: int = 128
    """Lines of one batch that run at once; fewer than `max_jobs`, so that single jobs find room beside them."""
    max_file_bytes: int = 200 * 1024 * 1024
    """Of one uploaded file."""
    log_level: str = "info"
    model_aliases: str = f"*={SERVICE_MODEL}"
    """Further names for models of ours, for clients that name others: `NAME=MODEL,…`, where `*` is any name that is not
    ours; or `none`."""


def prices_of(settings: Settings) -> Prices:
    return Prices(settings.price_prompt, settings.price_generated, settings.price_verified, settings.price_exaflop)


def from_environment(env: Mapping[str, str]) -> Settings:
    """Raises ConfigurationError with one line that names the variable and the remedy."""
    values: dict[str, object] = {"home": Path.home() / ".deliberate"}
    for item in fields(Settings):
        raw = env.get(PREFIX + item.name.upper(), "").strip()
        if raw:
            values[item.name] = _parse(item.name, raw)
    return Settings(**values)  # type: ignore[arg-type]


def _parse(name: str, raw: str) -> object:
    variable = PREFIX + name.upper()
    try:
        if name == "home":
            return Path(raw).expanduser().resolve()
        if name == "port":
            return _within(int(raw), 0, 65535)
        if name in ("max_jobs", "policy_replicas", "verifier_replicas", "calls_per_engine", "batch_window"):
            return _within(int(raw), 1, 100_000)
        if name.startswith("price_"):
            return float(_within(float(raw), 0, 1e9))
        if name == "max_file_bytes":
            return _within(int(raw), 1024, 2**40)
        if name == "lease_s":
            return float(_within(float(raw), 1, 3600))
        if name == "api_keys":
            return tuple(part.strip() for part in raw.split(",") if part.strip())
        if name == "webhook_allowed_networks":
            return tuple(ipaddress.ip_network(part.strip()) for part in raw.split(",") if part.strip())
        if name == "model_aliases":
            model_aliases(raw)
    except ValueError as error:
        # The value itself stays out of the message: it may be a secret.
        raise ConfigurationError(f"{variable} is not usable ({type(error).__name__}): see .env.example") from None
    return raw


def _within(number: float, low: float, high: float) -> float | int:
    if not low <= number <= high:
        raise ValueError("out of range")
    return number


def model_aliases(text: str) -> dict[str, str]:
    """The setting of this name, read. Raises ValueError."""
    pairs = [part.partition("=") for part in text.split(",") if part.strip() and text.strip() != "none"]
    aliases = {name.strip(): model.strip() for name, _, model in pairs}
    if not all(name and model.partition("-")[0] == SERVICE_MODEL for name, model in aliases.items()):
        raise ValueError(f"not NAME={SERVICE_MODEL} or NAME={SERVICE_MODEL}-EFFORT")
    return aliases
