"""The questions of `deliberate doctor`: each gives one line, and for a bad one the remedy."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cli.stack import home as homes
from cli.stack import sessions, wheels
from cli.stack.models import check_policy, check_verifier
from cli.stack.ports import is_free
from cli.stack.ray_head import cores
from cli.stack.record import Record
from cli.stack.services import readiness
from domain.errors import ConfigurationError, DeliberateError
from domain.settings import Settings

OLDEST_PYTHON = (3, 11)
PATIENCE_S = 3.0
EMBEDDED = "embedded: `deliberate up` starts it"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    note: str


def run_all(settings: Settings) -> Iterator[Check]:
    """One after the other, so that they can be shown as they come."""
    questions: list[tuple[str, Callable[[Settings], str]]] = [
        ("python", _python),
        ("machine", _machine),
        ("home", _home),
        ("postgres wheel", lambda _: str(wheels.postgres_folder())),
        ("redis wheel", lambda _: str(wheels.redis_server())),
        ("ray", lambda _: str(wheels.ray_program())),
        ("policy", check_policy),
        ("verifier", check_verifier),
        ("database", _database),
        ("redis", _redis),
        ("ray cluster", _ray),
        ("stack", _stack),
        ("port", _port),
    ]
    for name, question in questions:
        try:
            yield Check(name, True, question(settings))
        except DeliberateError as error:
            yield Check(name, False, error.message)


def _python(_: Settings) -> str:
    if sys.version_info < OLDEST_PYTHON:
        raise ConfigurationError("Python 3.11 or newer is needed: make a new environment with it")
    return f"{sys.version.split()[0]} at {sys.prefix}"


def _machine(_: Settings) -> str:
    import psutil  # type: ignore[import-untyped]

    free = psutil.virtual_memory().available
    if free < 2 * 2**30:
        raise ConfigurationError(f"{free / 2**30:.1f} GB of memory are free and 2 are needed: close some programs")
    return f"{cores()} cores, {free / 2**30:.0f} GB of memory free"


def _home(settings: Settings) -> str:
    homes.open_home(settings.home)
    return f"{settings.home} ({shutil.disk_usage(settings.home).free / 2**30:.0f} GB free)"


def _database(settings: Settings) -> str:
    if settings.database_url is None:
        return EMBEDDED
    import psycopg

    try:
        with psycopg.connect(settings.database_url, connect_timeout=int(PATIENCE_S)) as connection:
            connection.execute("SELECT 1")
    except (psycopg.Error, ValueError):
        raise ConfigurationError(
            "DELIBERATE_DATABASE_URL: no Postgres answers there: check host, user and password"
        ) from None
    return "DELIBERATE_DATABASE_URL answers"


def _redis(settings: Settings) -> str:
    if settings.redis_url is None:
        return EMBEDDED
    import redis

    try:
        with redis.Redis.from_url(
            settings.redis_url, socket_timeout=PATIENCE_S, socket_connect_timeout=PATIENCE_S
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError):
        raise ConfigurationError("DELIBERATE_REDIS_URL: no Redis answers there: check host and password") from None
    return "DELIBERATE_REDIS_URL answers"


def _ray(settings: Settings) -> str:
    if settings.ray_address is None:
        return EMBEDDED
    parts = urlsplit(f"//{settings.ray_address}")
    try:
        socket.create_connection((parts.hostname or "", parts.port or 6379), PATIENCE_S).close()
    except (OSError, ValueError):
        raise ConfigurationError(
            "DELIBERATE_RAY_ADDRESS: nothing listens there: is it host:port of a Ray head?"
        ) from None
    return f"{settings.ray_address} listens"


def _stack(settings: Settings) -> str:
    info = Record(settings.home).read()
    if info is None:
        return "not running: `deliberate up` starts it"
    if sessions.look(info.pid) is None:
        return "killed without a stop: the next `deliberate up` cleans up"
    state = readiness(info.url)
    if state is None:
        raise ConfigurationError(
            f"process {info.pid} runs but {info.url} does not answer: see {settings.home / 'logs'}"
        )
    missing = ", ".join(state.get("missing", []))
    if missing:
        raise ConfigurationError(f"{info.url} answers, but misses {missing}: see {settings.home / 'logs'}")
    return f"{info.url} is ready (process {info.pid})"


def _port(settings: Settings) -> str:
    if Record(settings.home).read() is not None:
        return "taken by the running stack"
    if settings.port and not is_free(settings.host, settings.port):
        raise ConfigurationError(f"{settings.port} on {settings.host} is in use: set DELIBERATE_PORT to another")
    return f"{settings.port} on {settings.host} is free"
