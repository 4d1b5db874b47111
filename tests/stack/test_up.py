"""`deliberate up` as its users meet it: a process with real servers, killed, stopped and started again."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from cli.stack.background import BackgroundStack
from cli.stack.lock import HomeLock
from cli.stack.record import Record
from cli.stack.sessions import look
from tests.support.stack import ROOT, clean_environment, client, running_stack

pytestmark = pytest.mark.integration
SCRIPTED = {"DELIBERATE_POLICY": "scripted:", "DELIBERATE_VERIFIER": "scripted:", "DELIBERATE_POLICY_REPLICAS": "1"}


@contextmanager
def deliberate(home: Path, *arguments: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own; ended as Ctrl-C does it when the test has not."""
    variables = clean_environment() | SCRIPTED | {"DELIBERATE_HOME": str(home), "DELIBERATE_PORT": "0"} | env
    command = [sys.executable, "-u", "-m", "cli.main", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=variables, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)


def said_until(process: subprocess.Popen[str], start: str) -> list[str]:
    """The lines up to the one that begins so."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if line.startswith(start):
            return lines
    raise AssertionError(f"it ended without saying {start!r}: {lines} {process.stderr and process.stderr.read()}")


def refused(home: Path, **env: str) -> str:
    """What a start that must fail says: one line, exit code 2."""
    with deliberate(home, "up", **env) as process:
        _, error = process.communicate(timeout=60)
    assert process.returncode == 2, error
    assert error.count("\n") == 1
    return error


def processes_of(home: Path) -> list[int]:
    return [seen.pid for seen in Record(home).processes()]


def seen(pids: Sequence[int], attribute: str) -> list[Any]:
    """Of those that live: a part may start processes that end by themselves."""
    found = []
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(pid).as_dict([attribute])[attribute])
    return found


def eventually(condition: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_killed_stack_is_cleaned_up_and_a_stopped_one_leaves_nothing(tmp_path: Path) -> None:
    # A home with a long path: sockets must not lie below it.
    home = tmp_path / ("long" * 25)
    with deliberate(home, "up") as killed:
        said_until(killed, "ready after")
        killed.send_signal(signal.SIGKILL)
    key = (home / "api_key").read_text()
    info = Record(home).read()
    assert info is not None

    with deliberate(home, "up") as process:
        lines = said_until(process, "ready after")
        assert "already runs" in refused(home)
        url = re.search(r"http\S+", said_until(process, "  API")[-1])
        assert url is not None
        headers = {"Authorization": f"Bearer {(home / 'api_key').read_text().strip()}"}
        assert httpx.get(f"{url[0]}/v1/reasoning/jobs", headers=headers).status_code == 200
        ours = processes_of(home)
        assert len(ours) > 10
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(25)
    assert time.monotonic() - began <= 20
    assert process.returncode == 0
    assert (home / "api_key").read_text() == key
    assert lines
    assert [pid for pid in ours if look(pid) is not None] == []
    assert not (home / "stack.lock").exists()
    assert not (home / "run" / "stack.json").exists()
    assert not Path(info.runtime).exists()


def test_a_taken_port_a_wrong_model_and_an_unreachable_database_are_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        assert f"port {port} on 127.0.0.1 is in use" in refused(tmp_path, DELIBERATE_PORT=port)
    (tmp_path / "file").write_text("")
    assert "can't write to DELIBERATE_HOME" in refused(tmp_path / "file" / "home")
    database = "postgresql://user:secret@127.0.0.1:1/none"
    said = refused(tmp_path, DELIBERATE_DATABASE_URL=database)
    assert "the database can't be prepared" in said
    assert "secret" not in said
    said = refused(tmp_path, DELIBERATE_POLICY="/nowhere/model")
    assert "model folder /nowhere/model does not exist" in said
    assert "engines can't start: scripted model: unknown option 'nope'" in refused(
        tmp_path, DELIBERATE_POLICY="scripted:nope=1"
    )
    assert not (tmp_path / "stack.lock").exists()
    lock = HomeLock(tmp_path / "stack.lock")
    lock.acquire()
    lock.release()


@pytest.fixture(scope="module")
def own() -> Iterator[BackgroundStack]:
    """A stack that these tests may break."""
    with running_stack() as stack:
        yield stack


def solved(stack: BackgroundStack) -> str:
    with client(stack) as http:
        body = {"problem": "What is 3 + 4?", "strategy": {"name": "self_consistency", "n": 4}}
        job = http.post("/v1/reasoning/jobs", json=body).json()
        return str(http.get(job["status_url"], headers={"Prefer": "wait=25"}).json()["status"])


@pytest.mark.parametrize("part", ["orchestrator", "control", "redis", "engines", "ray", "postgres", "api"])
def test_every_part_comes_back_after_kill_9_and_the_service_goes_on(own: BackgroundStack, part: str) -> None:
    before, pid = own.restarts(part), own.kill(part)
    own.wait_restarted(part, before)
    assert own.pid(part) not in (None, pid)
    own.wait_ready()
    assert solved(own) == "completed"


def test_external_servers_replace_the_embedded_ones(own: BackgroundStack, tmp_path: Path) -> None:
    names = ("DATABASE_URL", "REDIS_URL", "RAY_ADDRESS")
    external = {f"DELIBERATE_{name}": own.env[f"DELIBERATE_{name}"] for name in names}
    token = {name: value for name, value in own.env.items() if name.startswith("RAY_")}
    with deliberate(tmp_path, "up", **external, **token) as process:
        lines = said_until(process, "ready after")
        children = set(seen(processes_of(tmp_path), "name"))
        process.send_signal(signal.SIGINT)
        process.wait(25)
    assert not any(line.split()[0] in ("postgres", "redis", "ray") for line in lines)
    assert children
    assert not children & {"postgres", "redis-server", "raylet", "gcs_server"}
    # Its servers are not ours to stop.
    own.wait_ready()


def test_no_secret_is_in_a_log_or_a_command_line(own: BackgroundStack) -> None:
    home = own.settings.home
    secrets = [(home / name).read_text().strip() for name in ("api_key", "webhook_secret")]
    secrets += [(home / "run" / name).read_text().strip() for name in ("postgres_password", "ray_token")]
    secrets.append(own.env["DELIBERATE_REDIS_URL"].split(":")[2].split("@")[0])
    logs = "".join(path.read_text(errors="replace") for path in (home / "logs").glob("*.log"))
    commands = json.dumps(seen(processes_of(home), "cmdline"))
    assert len(commands) > 1000
    for secret in secrets:
        assert len(secret) > 30
        assert secret not in logs
        assert secret not in commands
    private = [path for path in (home / "run").iterdir() if path.suffix != ".heartbeat"]
    assert {oct(os.stat(path).st_mode & 0o777) for path in [*private, home / "api_key"]} == {"0o600"}
