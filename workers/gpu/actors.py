"""The Ray actor around an engine: the only place where Ray meets engines.

It runs on one asyncio loop, while the engine has a thread of its own. Nothing that crosses is more than plain frozen
values. Ray never repeats a call (`max_task_retries=0`): retries are the orchestrator's, by call key.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

from domain.ports import ModelInfo
from inference.host import EngineHost
from workers.gpu.mailbox import Mailbox, Request, Result
from workers.names import POLICY

SWEEP_S = 5.0


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """What an actor loads."""

    kind: str
    """`policy` or `verifier`."""
    model: str
    threads: int
    device: str


@dataclass(frozen=True, slots=True)
class Description:
    info: ModelInfo
    pid: int


class EngineActor:
    """Made by `workers.gpu.fleet`. Loading happens in `load`, so that a bad model folder is a message, not a crash."""

    def __init__(self, spec: EngineSpec) -> None:
        self._spec = spec
        self._loading = asyncio.Lock()
        self._mailbox: Mailbox | None = None
        self._info: ModelInfo | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def load(self) -> Description:
        """Load the model unless that is done. Raises ConfigurationError with one line that names the remedy."""
        async with self._loading:
            if self._mailbox is None or self._info is None:
                core = await asyncio.to_thread(_load, self._spec)
                self._info, self._mailbox = core.info, Mailbox(EngineHost(core))
                self._sweeper = asyncio.create_task(self._sweep(self._mailbox))
        return Description(self._info, os.getpid())

    async def submit(self, session: str, requests: Sequence[Request]) -> None:
        await self.load()
        self._box.session(session).submit(requests)

    async def collect(self, session: str) -> list[Result]:
        await self.load()
        return await self._box.session(session).collect()

    async def abort(self, session: str, keys: Sequence[str]) -> None:
        if self._mailbox is not None:
            self._mailbox.session(session).abort(keys)

    @property
    def _box(self) -> Mailbox:
        assert self._mailbox is not None
        return self._mailbox

    async def _sweep(self, mailbox: Mailbox) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            mailbox.drop_orphans(time.monotonic())


def _load(spec: EngineSpec):  # type: ignore[no-untyped-def]
    """The engine or verifier itself; torch comes in here and not before."""
    if spec.kind == POLICY:
        from inference.engines.factory import load_policy

        return load_policy(spec.model, threads=spec.threads, device=spec.device)
    from inference.verifiers.factory import load_verifier

    return load_verifier(spec.model, threads=spec.threads, device=spec.device)
