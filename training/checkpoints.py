"""What a training run needs to go on after a kill: one file, written whole or not at all.

Law: a run that was killed and started again ends with the same weights, bit for bit, as one that was not.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from domain.errors import ConfigurationError


class Checkpoints:
    """The latest state of one run in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Any] | None:
        """The latest state; None before the first. Raises ConfigurationError for a file that is no checkpoint."""
        import torch

        if not self._path.exists():
            return None
        try:
            found: dict[str, Any] = torch.load(self._path, weights_only=True)
        except Exception as error:
            remedy = "delete it to start this stage again"
            raise ConfigurationError(
                f"{self._path} is no readable checkpoint ({type(error).__name__}): {remedy}"
            ) from None
        return found

    def save(self, state: dict[str, Any]) -> None:
        """Raises ConfigurationError when the disk has no room; the state before stays then."""
        import torch

        draft = self._path.with_suffix(".new")
        try:
            with draft.open("wb") as out:
                torch.save(state, out)
                out.flush()
                os.fsync(out.fileno())
            os.replace(draft, self._path)
        except (OSError, RuntimeError) as error:  # torch says RuntimeError when its zip writer meets a full disk
            draft.unlink(missing_ok=True)
            remedy = "free some space and start the same command again"
            raise ConfigurationError(f"{self._path} can't be written ({type(error).__name__}): {remedy}") from None

    def drop(self) -> None:
        self._path.unlink(missing_ok=True)
