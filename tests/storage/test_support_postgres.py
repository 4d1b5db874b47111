"""The Postgres of the tests: short paths, and nothing is left of it, also when the test process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.support.postgres import TestPostgres
from tests.support.postgres_programs import Programs, _copied, _newest, _runs, find_programs
from tests.support.scratch import _sweep, short_folder

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import time
from tests.support.postgres import TestPostgres
server = TestPostgres()
server.start()
print(server.folder, server.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually_dead(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(pid)


def test_its_socket_path_is_short(postgres: TestPostgres) -> None:
    folder = postgres.url().split("host=")[1]
    assert len(os.fsencode(f"{folder}/.s.PGSQL.5432")) < 100


def test_closing_leaves_no_process_and_no_folder() -> None:
    server = TestPostgres()
    server.start()
    pid = server.pid
    psycopg.connect(server.url()).close()
    server.close()
    assert not alive(pid)
    assert not server.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent has died")
def test_it_dies_with_a_test_process_that_is_killed() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, env=environment, cwd=ROOT) as child:
        assert child.stdout is not None
        folder, pid = child.stdout.readline().decode().split()
        child.send_signal(signal.SIGKILL)
    assert eventually_dead(int(pid))
    _sweep(Path(folder).parent)
    assert not Path(folder).exists()


def test_programs_that_can_not_be_reached_are_copied(tmp_path: Path) -> None:
    """As root in a virtual environment below a private home folder."""
    programs = find_programs(tmp_path)
    wheel = programs.folder.parent.parent
    folder = short_folder()
    copy = Programs(_newest(_copied(wheel, folder)), programs.user)
    assert copy.folder.is_relative_to(folder)
    assert _runs(copy)
    subprocess.run(["rm", "-r", str(folder)], check=True)


def test_the_sweep_leaves_the_living_alone() -> None:
    folder = short_folder()
    _sweep(folder.parent)
    assert folder.exists()
    folder.rmdir()
