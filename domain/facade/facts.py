"""What the views of a response read: a job and how it was asked. `storage` fills these in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from domain.budget import Budget, Spend
from domain.job import JobError, JobStatus
from domain.recipe import StrategySpec
from domain.verdict import StopReason, Verdict


class JobFacts(Protocol):
    """A job as it is read."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> JobStatus: ...
    @property
    def strategy(self) -> StrategySpec: ...
    @property
    def budget(self) -> Budget: ...
    @property
    def seed(self) -> int: ...
    @property
    def metadata(self) -> Mapping[str, str]: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def started_at(self) -> datetime | None: ...
    @property
    def ended_at(self) -> datetime | None: ...
    @property
    def verdict(self) -> Verdict | None: ...
    @property
    def stop_reason(self) -> StopReason | None: ...
    @property
    def spend(self) -> Spend: ...
    @property
    def error(self) -> JobError | None: ...
    @property
    def cancel_requested(self) -> bool: ...
    @property
    def seconds(self) -> float:
        """Wall-clock since the first claim."""
        ...

    @property
    def queue_seconds(self) -> float:
        """From creation to the first claim."""
        ...


class ResponseFacts(Protocol):
    """A response or chat completion."""

    @property
    def id(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def request(self) -> Mapping[str, Any]:
        """`Asked.echo`."""
        ...

    @property
    def stored(self) -> bool: ...
    @property
    def shown(self) -> Sequence[Mapping[str, Any]] | None:
        """The solutions that are the output, with `text`, `answer` and `tokens`; None before the end."""
        ...

    @property
    def job(self) -> JobFacts: ...
