"""The API process: stores jobs and shows them. It holds no engine, and it never waits for Redis to accept a job.

uvicorn api.app:create_app --factory
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI

from api import logs, problems
from api.bootstrap import bootstrap
from api.documented import completed
from api.drain import on_shutdown_signal
from api.edge import Edge
from api.examples import with_examples
from api.facade.following import Departures
from api.limits import FORM_BYTES, BodyLimit
from api.links import with_links
from api.routes import (
    admin,
    batches,
    chat,
    deliveries,
    docs,
    files,
    health,
    jobs,
    keys,
    models,
    responses,
    strategies,
    streams,
    webhook_endpoints,
)
from api.services import Services, compose
from domain.errors import ConfigurationError
from domain.settings import Settings, from_environment

FIRST_TRY_S = 3.0
"""Requests are taken after the bootstrap or after this time, whichever comes first."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Without settings, as uvicorn calls it, those of the environment; a wrong one ends the process with one line.

    Raises ConfigurationError for wrong settings that were given.
    """
    if settings is not None:
        return _build(settings)
    try:
        return _build(from_environment(os.environ))
    except ConfigurationError as error:
        sys.stderr.write(error.message + "\n")
        raise SystemExit(2) from None


def _build(settings: Settings) -> FastAPI:
    logs.configure(settings.log_level)
    services = compose(settings)
    app = DeliberateAPI(
        title="Deliberate", version="1", docs_url=None, redoc_url=None, redirect_slashes=False, lifespan=_lifespan
    )
    app.state.services = services
    app.state.departures = Departures()
    for module in (
        jobs, streams, strategies, responses, chat, models, files, batches, deliveries, webhook_endpoints, admin, keys,
        health, docs,
    ):  # fmt: skip
        app.include_router(module.router)
    app.include_router(batches.native)
    problems.install(app)
    app.add_middleware(BodyLimit, larger={"/v1/files": settings.max_file_bytes + FORM_BYTES})
    app.add_middleware(Edge, metrics=services.metrics)
    return app


class DeliberateAPI(FastAPI):
    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = with_links(with_examples(completed(super().openapi())))
        return self.openapi_schema


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    services: Services = app.state.services
    services.watcher.start()
    services.feeds.start()
    starting = asyncio.create_task(bootstrap(services), name="bootstrap")
    await asyncio.wait({starting}, timeout=FIRST_TRY_S)
    try:
        with on_shutdown_signal(services.drain):
            yield
    finally:
        starting.cancel()
        await asyncio.wait({starting})
        await app.state.departures.close()
        await services.close()
