"""The whole API over ASGI on a real Postgres and Redis, and two tenants' clients."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api import waiting
from api.app import create_app
from api.facade import following
from api.services import Services
from domain.settings import Settings
from storage.database import Database
from storage.keys import Keys

KEY = "bootstrap-key-of-the-tests"


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(
        home=tmp_path,
        database_url=database_url,
        redis_url=redis_url,
        api_keys=(KEY,),
        webhook_allowed_networks=(ip_network("127.0.0.0/8"),),
    )


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    one = create_app(settings)
    async with one.router.lifespan_context(one):
        yield one


@pytest.fixture
async def down(settings: Settings) -> AsyncIterator[FastAPI]:
    """The API without Postgres and Redis."""
    nowhere = replace(settings, database_url="postgresql://u:pw@127.0.0.1:1/db", redis_url="redis://127.0.0.1:1/0")
    one = create_app(nowhere)
    async with one.router.lifespan_context(one):
        yield one


@pytest.fixture
def services(app: FastAPI) -> Services:
    found: Services = app.state.services
    return found


def client_of(app: FastAPI, key: str | None = None) -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, KEY) as one:
        yield one


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as one:
        yield one


@pytest.fixture
async def stranger(app: FastAPI, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another tenant."""
    keys = Keys(database)
    async with client_of(app, await keys.create(await keys.ensure_tenant("other"), "test")) as one:
        yield one


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that plays the worker publishes nothing: the database is looked at often."""
    monkeypatch.setattr(waiting, "POLL_WITH_NEWS_S", 0.1)
    monkeypatch.setattr(following, "POLL_WITH_NEWS_S", 0.1)
