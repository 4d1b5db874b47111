"""A part that goes away is said once, and once more when it is back; what was being sent is never in the line."""

from __future__ import annotations

import logging
import time
import traceback

from domain.errors import Unavailable


def describe(error: BaseException) -> str:
    """Our own sentence for what is away; else type and place. Drivers put parameters, so prompts, into their texts."""
    if isinstance(error, Unavailable):
        return error.message
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


class Outage:
    """Whether one part is away, for one user of it (a loop, a client)."""

    def __init__(self, logger: logging.Logger, part: str) -> None:
        self._logger = logger
        self._part = part
        self._since: float | None = None

    @property
    def active(self) -> bool:
        return self._since is not None

    def failed(self, error: BaseException | str) -> None:
        if self._since is None:
            self._since = time.monotonic()
            reason = error if isinstance(error, str) else describe(error)
            self._logger.warning("%s: not working (%s); trying again until it does", self._part, reason)

    def worked(self) -> None:
        if self._since is not None:
            self._logger.warning("%s: working again after %.1f s", self._part, time.monotonic() - self._since)
            self._since = None
