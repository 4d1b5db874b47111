"""A whole running stack for tests: real Postgres, Redis, Celery and Ray, scripted models.

One for the entire session, since a start costs some seconds; a test that breaks the stack on purpose makes its own with
`running_stack`. Fixtures are found by importing `stack` from here in a `conftest.py`.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.stack.background import BackgroundStack
from domain.settings import Settings

SCRIPTED = "scripted:accuracy=0.7,tokens=40,delay_ms=5"
LOOPBACK = (ip_network("127.0.0.0/8"),)
ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def running_stack(**changes: Any) -> Iterator[BackgroundStack]:
    """A stack of its own in a new home; `changes` are settings, e.g. `policy="scripted:delay_ms=200"`."""
    home = Path(tempfile.mkdtemp(prefix="deliberate-test-"))
    values: dict[str, Any] = {
        "home": home,
        "port": 0,
        "policy": SCRIPTED,
        "verifier": SCRIPTED,
        "policy_replicas": 1,
        "verifier_replicas": 1,
        "webhook_allowed_networks": LOOPBACK,
    }
    try:
        with BackgroundStack(Settings(**values | changes), clean_environment()) as stack:
            stack.wait_ready()
            yield stack
    finally:
        shutil.rmtree(home, ignore_errors=True)


def clean_environment() -> dict[str, str]:
    """Ours without the settings of whoever runs the tests, and with this checkout first on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DELIBERATE_", "RAY_"))}
    return kept | {"PYTHONPATH": str(ROOT)}


def client(stack: BackgroundStack) -> httpx.Client:
    """An HTTP client with the stack's own key."""
    return httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {stack.api_key}"}, timeout=30.0)


@pytest.fixture(scope="session")
def stack() -> Iterator[BackgroundStack]:
    with running_stack() as running:
        yield running
