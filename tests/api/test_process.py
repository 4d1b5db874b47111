"""The real server process: `uvicorn api.app:create_app --factory` over a real socket."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.api.conftest import KEY
from tests.support.ports import free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
JOBS = "/v1/reasoning/jobs"


class Server:
    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.port = free_port()
        self.log = folder / "api.log"
        command = [sys.executable, "-m", "uvicorn", "api.app:create_app", "--factory", "--port", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)

    async def ready(self) -> None:
        async with asyncio.timeout(30), httpx.AsyncClient() as client:
            while True:
                assert self.process.poll() is None, self.log.read_text()
                try:
                    await client.get(f"http://127.0.0.1:{self.port}/healthz")
                    return
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)


@pytest.fixture
async def server(tmp_path: Path, database_url: str, redis_url: str) -> AsyncIterator[Server]:
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "DELIBERATE_HOME": str(tmp_path),
        "DELIBERATE_DATABASE_URL": database_url,
        "DELIBERATE_REDIS_URL": redis_url,
        "DELIBERATE_API_KEYS": KEY,
    }
    one = Server(tmp_path, env)
    try:
        await one.ready()
        yield one
    finally:
        one.process.kill()
        one.process.wait()


async def test_it_serves_logs_no_secrets_and_ends_while_somebody_waits(server: Server) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=60) as client:
        response = await client.post(JOBS, json={"problem": "canary-problem"}, params={"token": "canary-query"})
        assert response.status_code == 202
        assert (await client.get(response.headers["location"])).status_code == 200
        waiting = asyncio.create_task(client.get(response.headers["location"], headers={"Prefer": "wait=60"}))
        await asyncio.sleep(0.5)
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert (await waiting).json()["status"] == "queued"
        assert await asyncio.to_thread(server.process.wait, 10) in (0, -signal.SIGTERM)
        assert time.monotonic() - started < 5
    log = server.log.read_text()
    assert "POST /v1/reasoning/jobs 202" in log
    for secret in ("canary", KEY):
        assert secret not in log


@pytest.mark.parametrize(
    ("env", "line"),
    [
        ({}, "DELIBERATE_DATABASE_URL is not set"),
        ({"DELIBERATE_PORT": "many"}, "DELIBERATE_PORT is not usable"),
        (
            {"DELIBERATE_DATABASE_URL": "mysql://u:secret@h/d", "DELIBERATE_REDIS_URL": "redis://h"},
            "DELIBERATE_DATABASE",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_and_code_2(env: dict[str, str], line: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "uvicorn", "api.app:create_app", "--factory", "--port", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert result.returncode == 2
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


async def test_a_large_body_over_the_wire_is_refused(server: Server) -> None:
    """Declared and in chunks; the connection is not read to the end of what a client would send."""
    head = (
        f"POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\nContent-Type: application/json\r\n"
    ).encode()
    declared = head + b"Content-Length: 2000000000\r\n\r\n" + b"{"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"10000\r\n" + b" " * 65_536 + b"\r\n") * 20
    for content in (declared, chunked):
        answer = await asyncio.to_thread(exchange, server.port, content)
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:100]
        assert b'"code":"request_too_large"' in answer


def exchange(port: int, content: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        answer = b""
        while b"request_too_large" not in answer:
            part = connection.recv(65_536)
            if not part:
                break
            answer += part
        return answer


async def test_a_client_that_leaves_frees_its_wait(server: Server) -> None:
    headers = {"Authorization": f"Bearer {KEY}", "Prefer": "wait=60"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", headers=headers) as client:
        job = (await client.post(JOBS, json={"problem": "1 + 1"})).json()["id"]
        with pytest.raises(httpx.ReadTimeout):
            await client.get(f"{JOBS}/{job}", timeout=0.5)
        async with asyncio.timeout(8):
            while f"GET {JOBS}/{job} " not in server.log.read_text():
                await asyncio.sleep(0.1)
