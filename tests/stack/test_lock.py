"""One stack a home, and no lock is left behind, whatever ends its holder."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.stack.lock import HomeLock
from domain.errors import ConfigurationError

HOLD = """
import sys, time
from pathlib import Path
from cli.stack.lock import HomeLock
HomeLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path / "lock"), HomeLock(tmp_path / "lock")
    first.acquire()
    with pytest.raises(ConfigurationError, match=rf"already runs with DELIBERATE_HOME=.* \(pid {os.getpid()}\)"):
        second.acquire()
    assert first.held
    assert not second.held
    first.release()


def test_a_released_lock_is_gone_and_can_be_taken_again(tmp_path: Path) -> None:
    lock = HomeLock(tmp_path / "lock")
    for _ in range(2):
        lock.acquire()
        lock.release()
        assert list(tmp_path.iterdir()) == []


def test_a_refused_release_leaves_the_holders_lock(tmp_path: Path) -> None:
    first, second = HomeLock(tmp_path / "lock"), HomeLock(tmp_path / "lock")
    first.acquire()
    second.release()
    assert (tmp_path / "lock").exists()
    first.release()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ConfigurationError, match=f"pid {holder.pid}"):
            HomeLock(path).acquire()
        holder.send_signal(signal.SIGKILL)
    lock = HomeLock(path)
    lock.acquire()
    lock.release()
