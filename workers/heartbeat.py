"""A process shows that its loop turns: it touches `DELIBERATE_HOME/run/<name>.heartbeat`, `workers.health` looks."""

from __future__ import annotations

import time
from pathlib import Path

INTERVAL_S = 1.0
OLDEST_S = 10.0


class Heartbeat:
    def __init__(self, home: Path, name: str) -> None:
        self._path = home / "run" / f"{name}.heartbeat"

    def beat(self) -> None:
        """Raises OSError when the file can't be written."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()

    def age_s(self) -> float | None:
        """Seconds since the last beat; None when there is none."""
        try:
            return max(0.0, time.time() - self._path.stat().st_mtime)
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """A process that ended in good order is not unhealthy, it is gone."""
        self._path.unlink(missing_ok=True)
