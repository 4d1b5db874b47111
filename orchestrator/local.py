"""One search in this process: the service's own loop, with a list where the service has Postgres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from domain.budget import Spend
from domain.events import Event, JobStopped, JobSubmitted
from domain.ids import JobId
from domain.ports import CallRecord, Claim, Finish
from orchestrator.engines import Engines
from orchestrator.run import Run

Listener = Callable[[Event, Spend], None]


@dataclass
class ListRecorder:
    """Keeps a run's events and shows each one, with the running spend, to a listener."""

    listener: Listener | None = None
    events: list[Event] = field(default_factory=list)
    calls: list[CallRecord] = field(default_factory=list)

    def record(self, events: tuple[Event, ...], calls: tuple[CallRecord, ...], spend: Spend) -> None:
        self.calls += calls
        for event in events:
            self.events.append(event)
            if self.listener is not None:
                self.listener(event, spend)

    async def finish(self, event: JobStopped, finish: Finish) -> None:
        self.record((event,), (), event.spend)


async def solve(
    submitted: JobSubmitted, engines: Engines, listener: Listener | None = None, job: str = "local"
) -> tuple[JobStopped, list[Event]]:
    """Search until the end; the end and the whole trace. Cancelling the awaiting task aborts the calls in flight."""
    recorder = ListRecorder(listener)
    recorder.record((submitted,), (), Spend())
    run = Run(Claim(JobId(job), 1, (submitted,), 0.0), "local", engines, recorder)
    try:
        await run.run()
    finally:
        run.abandon()
    stopped = recorder.events[-1]
    assert isinstance(stopped, JobStopped)
    return stopped, recorder.events
