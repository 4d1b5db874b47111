"""Settings as the environment of a child process: `domain.settings.from_environment` reads them back the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from domain.settings import PREFIX, Settings


def child_environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """`env` with these settings in place of its own."""
    names = {PREFIX + item.name.upper() for item in fields(Settings)}
    kept = {name: value for name, value in env.items() if name not in names}
    given = {PREFIX + item.name.upper(): _text(getattr(settings, item.name)) for item in fields(Settings)}
    return kept | {name: text for name, text in given.items() if text}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)
