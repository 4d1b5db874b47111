"""A short process of `deliberate up`: brings the database to this version, and lets the home's API key in.

    DELIBERATE_HOME=… DELIBERATE_DATABASE_URL=… python -m cli.stack.bootstrap

It is a process of its own so that the supervisor, which runs for weeks, need not hold the database libraries.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from cli.stack.home import API_KEY_FILE, WEBHOOK_SECRET_FILE
from cli.stack.secrets import write_private
from domain.errors import ConfigurationError, DeliberateError
from domain.settings import from_environment
from storage.database import Database
from storage.keys import HOME, Keys
from storage.migrate import upgrade
from storage.tenant_secret import TenantSecret

LABEL = "deliberate up"


def main() -> int:
    try:
        settings = from_environment(os.environ)
        if settings.database_url is None:
            raise ConfigurationError("DELIBERATE_DATABASE_URL is not set")
        upgrade(settings.database_url)
        asyncio.run(_keys(settings.home, settings.database_url))
    except DeliberateError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    return 0


async def _keys(home: Path, url: str) -> None:
    database = Database.open(url, pool_size=1)
    try:
        keys = Keys(database)
        tenant = await keys.ensure_tenant()
        await keys.ensure((home / API_KEY_FILE).read_text().strip(), tenant, LABEL, HOME)
        write_private(home / WEBHOOK_SECRET_FILE, await TenantSecret(database).read(tenant) + "\n")
    finally:
        await database.close()


if __name__ == "__main__":
    sys.exit(main())
