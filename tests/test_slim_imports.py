"""Light processes stay light: what they import, in a process of its own, brings no engine and no driver along."""

from __future__ import annotations

import importlib.util
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENGINES = ("torch", "transformers")
DRIVERS = (*ENGINES, "ray")

CASES: list[tuple[str, tuple[str, ...]]] = [
    ("api.app", (*DRIVERS, "celery", "kombu")),
    ("workers.control", DRIVERS),
    ("workers.health", (*DRIVERS, "celery", "sqlalchemy", "fastapi")),
    ("workers.orchestrator", ENGINES),
    ("cli.main", DRIVERS),
    ("storage.jobs", DRIVERS),
    ("orchestrator.host", (*DRIVERS, "celery", "sqlalchemy", "redis")),
    *((f"messaging.{module.name}", DRIVERS) for module in pkgutil.iter_modules([str(ROOT / "messaging")])),
]


@pytest.mark.parametrize(("module", "forbidden"), CASES, ids=lambda value: value if isinstance(value, str) else "")
def test_importing_it_brings_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"there is no {module} yet")
    code = f"import sys, {module}; print(*(name for name in {forbidden!r} if name in sys.modules))"
    env = {name: value for name, value in os.environ.items() if not name.startswith("DELIBERATE_")}
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=ROOT,
        env=env | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []
