"""What submitting is compared with: FastAPI, a parsed body, one INSERT, one answer. Nothing else.

python -m evaluation.loading.bare PORT     (DELIBERATE_DATABASE_URL names the database)
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from psycopg.types.json import Json
from psycopg_pool import AsyncConnectionPool

TABLE = "CREATE TABLE IF NOT EXISTS load_bare (id TEXT PRIMARY KEY, body JSON NOT NULL, at TIMESTAMPTZ DEFAULT now())"
INSERT = "INSERT INTO load_bare (id, body) VALUES (%s, %s)"
POOL_SIZE = 10


def create_app(database_url: str) -> FastAPI:
    pool = AsyncConnectionPool(database_url, min_size=POOL_SIZE, max_size=POOL_SIZE, open=False)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            async with pool.connection() as connection:
                await connection.execute(TABLE)
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/jobs", status_code=202)
    async def submit(body: dict[str, Any]) -> dict[str, str]:
        job = secrets.token_hex(16)
        async with pool.connection() as connection:
            await connection.execute(INSERT, (job, Json(body)))
        return {"id": job}

    return app


def main() -> None:
    import uvicorn

    app = create_app(os.environ["DELIBERATE_DATABASE_URL"])
    port = int(sys.argv[1])
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_keep_alive=75)


if __name__ == "__main__":
    main()
