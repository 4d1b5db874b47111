"""What a killed stack leaves is ended by the next start; a process that only has the same number is not."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cli.stack.child import Child, launch_command
from cli.stack.home import make_runtime, open_home
from cli.stack.record import MARK, Record, StackInfo, clean_up
from cli.stack.sessions import look

SLEEP = [sys.executable, "-c", "print('up', flush=True); import time; time.sleep(60)"]


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[str]]:
    with started({}) as process:
        yield process
        process.kill()


def started(env: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(SLEEP, stdout=subprocess.PIPE, text=True, env=os.environ | env, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


@pytest.fixture
def record(tmp_path: Path) -> Record:
    open_home(tmp_path)
    made = Record(tmp_path)
    made.write(StackInfo("a" * 32, 1, "http://127.0.0.1:1", str(make_runtime()), None))
    return made


def test_recorded_processes_and_the_folder_of_sockets_go(
    record: Record, tmp_path: Path, sleeper: subprocess.Popen[str]
) -> None:
    seen, info = look(sleeper.pid), record.read()
    assert seen is not None
    assert info is not None
    record.write_processes([seen])
    assert clean_up(tmp_path) == [seen]
    assert sleeper.wait(5) == -signal.SIGTERM
    assert not Path(info.runtime).exists()
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("change", [{"created": 1.0}, {"exe": "/usr/bin/other"}])
def test_a_foreign_process_with_the_same_pid_lives(
    record: Record, tmp_path: Path, sleeper: subprocess.Popen[str], change: dict[str, object]
) -> None:
    seen = look(sleeper.pid)
    assert seen is not None
    record.write_processes([replace(seen, **change)])  # type: ignore[arg-type]
    assert clean_up(tmp_path) == []
    assert sleeper.poll() is None


def test_a_process_too_young_to_be_recorded_is_found_by_its_mark(record: Record, tmp_path: Path) -> None:
    with started({MARK: "a" * 32}) as ours, started({MARK: "b" * 32}) as foreign:
        assert [seen.pid for seen in clean_up(tmp_path)] == [ours.pid]
        assert foreign.poll() is None
        foreign.kill()


def test_a_first_start_and_a_damaged_record_clean_nothing(tmp_path: Path) -> None:
    open_home(tmp_path)
    assert clean_up(tmp_path) == []
    (tmp_path / "run" / "stack.json").write_text("{")
    (tmp_path / "run" / "processes.json").write_text('[{"pid": 1}]')
    assert clean_up(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_child_ends_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    child = [
        sys.executable,
        "-c",
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)",
    ]
    code = (
        "import subprocess, time; from cli.stack.child import Child, launch_command;"
        f"subprocess.Popen(launch_command(Child('x', {tuple(child)!r})), start_new_session=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as supervisor:
        pid = int(wait_for_text(pid_file))
        assert look(pid) is not None
        supervisor.kill()
    deadline = time.monotonic() + 5
    while look(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_child_for_another_user_is_not_root_and_can_still_search_private_folders(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    file = private / "file"
    file.write_text("seen")
    # Also by access(2), in which the kernel leaves capabilities out by default.
    code = (
        f"import os; print(os.geteuid() != 0, os.access({str(file)!r}, os.R_OK), open({str(file)!r}).read());"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')])"
    )
    command = launch_command(Child("x", (sys.executable, "-c", code), user="nobody"))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "True True seen\n['0000000000000004']\n"


def test_a_child_that_is_to_yield_is_nice_within_its_session_and_as_a_session() -> None:
    code = (
        "import os, pathlib; print(os.nice(0)); group = pathlib.Path('/proc/self/autogroup');"
        "print(group.read_text().split()[-1] if group.exists() else '')"
    )
    command = launch_command(Child("x", (sys.executable, "-c", code), nice=7))
    done = subprocess.run(command, capture_output=True, text=True, check=True, start_new_session=True)
    own, *session = done.stdout.split()
    assert int(own) == os.nice(0) + 7
    if Path("/proc/sys/kernel/sched_autogroup_enabled").exists():
        assert session == ["7"]


def wait_for_text(path: Path) -> str:
    deadline = time.monotonic() + 10
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return path.read_text()
