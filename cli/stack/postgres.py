"""The embedded Postgres: a real server from the wheel, on a Unix socket only, with a password, under DELIBERATE_HOME.

Postgres refuses to run as root. When we are root, it runs as `nobody` (see `cli.stack.launch`), who owns its folder.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
from pathlib import Path

from cli.stack.child import Child
from cli.stack.logs import last_line
from cli.stack.oneshot import run_to_end
from cli.stack.secrets import keep, password
from cli.stack.wheels import postgres_folder
from domain.errors import ConfigurationError

NAME = "postgres"
USER = "deliberate"
DATABASE = "deliberate"
UNPRIVILEGED = "nobody"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "64MB",
    "jit": "off",
    "log_min_messages": "warning",
    # The statements of a failed query hold prompts: they stay out of the log.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    # So does the detail of a refused row (`Failing row contains …`).
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    def __init__(self, home: Path, runtime: Path) -> None:
        self._root = home / "postgres"
        self._logs = home / "logs"
        self._data = self._root / "data"
        self._sockets = runtime / "postgres"
        self._password = keep(home / "run" / "postgres_password", password)
        self._programs = postgres_folder()
        self._fresh = False

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self._password}@/{DATABASE}?host={self._sockets}"

    async def prepare(self) -> None:
        """Make the data folder on the first start. Raises ConfigurationError."""
        _own(self._root)
        _own(self._sockets)
        if (self._data / "PG_VERSION").exists():
            self._check_version()
            return
        draft = self._root / "new"
        shutil.rmtree(draft, ignore_errors=True)
        await self._initdb(draft)
        # Renamed when complete: a start that was killed in between leaves no half-made database.
        draft.rename(self._data)
        self._fresh = True

    def child(self) -> Child:
        options = [item for name, value in SETTINGS.items() for item in ("-c", f"{name}={value}")]
        command = (str(self._programs / "postgres"), "-D", str(self._data), "-k", str(self._sockets), *options)
        # SIGINT is Postgres' fast shutdown; SIGTERM would wait for every client to leave.
        return Child(NAME, command, ready=self._ready, stop_signal="SIGINT", user=UNPRIVILEGED, cwd=Path("/"))

    async def flush(self) -> None:
        """Write a newly made data folder through to the disk, so that it survives a crash of the machine."""
        if self._fresh:
            await self._run_initdb("--sync-only", "-D", str(self._data))
            self._fresh = False

    async def _initdb(self, folder: Path) -> None:
        secret = self._root / "password"
        secret.write_text(self._password + "\n")
        _own(secret, 0o600)
        arguments = ("-D", str(folder), "-U", USER, "--auth=scram-sha-256", f"--pwfile={secret}")
        # Not flushed to the disk here, which takes seconds: `flush` does it when the service already answers.
        text = ("--encoding=UTF8", "--locale=C", "--no-instructions", "--no-sync")
        try:
            code, log = await self._run_initdb(*arguments, *text)
        finally:
            secret.unlink(missing_ok=True)
        if code != 0:
            said = last_line(log, "error", "FATAL") or f"exit code {code}"
            raise ConfigurationError(f"Postgres can't make its data folder {folder}: {said} (log: {log})")

    async def _run_initdb(self, *arguments: str) -> tuple[int, Path]:
        program = (str(self._programs / "initdb"), *arguments)
        return await run_to_end(Child("initdb", program, user=UNPRIVILEGED, cwd=Path("/")), None, self._logs)

    def _check_version(self) -> None:
        stored = (self._data / "PG_VERSION").read_text().strip()
        program = self._programs.parent.name.removeprefix("pginstall") or "16"
        if stored != program:
            raise ConfigurationError(
                f"{self._data} was made by Postgres {stored} and this program brings {program}: "
                "dump it with the old program, or set another DELIBERATE_HOME"
            )

    async def _ready(self, _: float) -> bool:
        import psycopg

        try:
            await asyncio.to_thread(self._connect_once)
        except psycopg.OperationalError:
            return False
        return True

    def _connect_once(self) -> None:
        """Ask it something, and make our database when it is not there. Raises psycopg.OperationalError."""
        import psycopg

        with psycopg.connect(
            host=str(self._sockets),
            user=USER,
            password=self._password,
            dbname="postgres",
            autocommit=True,
            connect_timeout=3,
        ) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")


def _own(path: Path, mode: int = 0o700) -> None:
    """Make the folder when it is not there, and give it to the user that Postgres runs as."""
    if not path.exists():
        path.mkdir(parents=True)
    path.chmod(mode)
    if os.geteuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED)
        os.chown(path, entry.pw_uid, entry.pw_gid)
