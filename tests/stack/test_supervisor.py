"""The supervisor against real child processes: restart, give up, order, and nobody is left."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import psutil
import pytest

from cli.stack import supervisor as supervising
from cli.stack.child import Child
from cli.stack.sessions import Seen, look
from cli.stack.supervisor import Happening, Moment, Supervisor
from domain.errors import ConfigurationError

IGNORES_TERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
# A child with a child and a grandchild that outlive it, unless somebody ends them.
FAMILY = """
import subprocess, sys, time
inner = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
subprocess.Popen([sys.executable, "-c", inner])
time.sleep(60)
"""


class Watched(Supervisor):
    """A supervisor that keeps what it tells and records."""

    def __init__(self, logs: Path) -> None:
        self.told: list[Happening] = []
        self.recorded: list[Seen] = []
        super().__init__(dict(os.environ), logs, self.told.append, self._keep_record)

    def _keep_record(self, seen: Sequence[Seen]) -> None:
        self.recorded = list(seen)

    def moments(self, name: str) -> list[Moment]:
        return [one.moment for one in self.told if one.child == name]


@pytest.fixture
async def supervisor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watched]:
    monkeypatch.setattr(supervising, "SCAN_S", 0.1)
    monkeypatch.setattr(supervising, "BACKOFF_S", (0.05,))
    made = Watched(tmp_path)
    yield made
    await made.stop(*list(made.pids()))
    await made.close()


def python(name: str, code: str, **options: object) -> Child:
    return Child(name, (sys.executable, "-c", code), **options)  # type: ignore[arg-type]


async def eventually(condition: Callable[[], bool], within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def session_of(pid: int) -> list[int]:
    return [other for other in psutil.pids() if look(other) is not None and os.getsid(other) == pid]


async def test_a_child_that_dies_is_started_again_and_this_is_told(supervisor: Watched) -> None:
    await supervisor.start(python("sleeper", "import time; time.sleep(60)"))
    first = supervisor.pid("sleeper")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: supervisor.restarts("sleeper") == 1 and supervisor.is_ready("sleeper"))
    assert supervisor.pid("sleeper") not in (None, first)
    crash = next(one for one in supervisor.told if one.moment is Moment.CRASHED)
    assert "killed by signal 9" in crash.note
    assert supervisor.moments("sleeper")[-1] is Moment.READY


async def test_readiness_is_asked_until_it_is_given(supervisor: Watched, tmp_path: Path) -> None:
    flag = tmp_path / "flag"

    async def ready(since: float) -> bool:
        return flag.exists() and since <= time.time()

    code = f"import time, pathlib; time.sleep(0.3); pathlib.Path({str(flag)!r}).touch(); time.sleep(60)"
    began = time.monotonic()
    await supervisor.start(python("slow", code, ready=ready))
    assert time.monotonic() - began >= 0.3


async def test_a_wrong_setting_ends_the_start_with_the_childs_own_line(supervisor: Watched) -> None:
    async def never(_: float) -> bool:
        return False

    code = "import sys; print('DELIBERATE_POLICY is wrong', file=sys.stderr); sys.exit(2)"
    with pytest.raises(ConfigurationError, match=r"picky can't start: DELIBERATE_POLICY is wrong \(log: .*picky.log\)"):
        await supervisor.start(python("picky", code, ready=never))
    assert supervisor.moments("picky").count(Moment.CRASHED) == 0


async def test_a_child_that_never_gets_ready_is_given_up_after_some_attempts(supervisor: Watched) -> None:
    async def never(_: float) -> bool:
        return False

    with pytest.raises(ConfigurationError, match="broken can't start: no luck"):
        await supervisor.start(python("broken", "print('no luck'); raise SystemExit(1)", ready=never))
    assert supervisor.moments("broken").count(Moment.CRASHED) == supervising.START_ATTEMPTS - 1


async def test_a_child_that_hangs_at_its_start_is_given_up(supervisor: Watched) -> None:
    async def never(_: float) -> bool:
        return False

    with pytest.raises(ConfigurationError, match=r"idle was not ready within 0.2 s"):
        await supervisor.start(python("idle", "import time; time.sleep(60)", ready=never, ready_within_s=0.2))


async def test_a_program_that_is_not_there_is_told(supervisor: Watched) -> None:
    async def never(_: float) -> bool:
        return False

    with pytest.raises(ConfigurationError, match="ghost can't start"):
        await supervisor.start(Child("ghost", ("/nowhere/program",), ready=never))


async def test_stop_ends_children_of_children(supervisor: Watched) -> None:
    await supervisor.start(python("family", FAMILY))
    pid = supervisor.pid("family")
    assert pid is not None
    await eventually(lambda: len(session_of(pid)) == 3)
    await supervisor.stop("family")
    await eventually(lambda: session_of(pid) == [])  # a killed process takes a moment to go on a busy machine


async def test_a_crash_takes_the_childrens_children_with_it(supervisor: Watched) -> None:
    await supervisor.start(python("family", FAMILY))
    pid = supervisor.pid("family")
    assert pid is not None
    await eventually(lambda: len([seen for seen in supervisor.recorded if seen.pid != pid]) == 2)
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: supervisor.restarts("family") == 1)
    await eventually(lambda: session_of(pid) == [])


async def test_a_child_that_ignores_us_is_killed(supervisor: Watched, tmp_path: Path) -> None:
    await supervisor.start(python("deaf", IGNORES_TERM, stop_within_s=0.3))
    pid = supervisor.pid("deaf")
    await eventually(lambda: "up" in (tmp_path / "deaf.log").read_text())
    began = time.monotonic()
    await supervisor.stop("deaf")
    assert 0.3 <= time.monotonic() - began < 3.0
    assert pid is not None
    assert look(pid) is None


async def test_what_needs_a_dead_child_starts_again_after_it(supervisor: Watched) -> None:
    await supervisor.start(python("head", "import time; time.sleep(60)"))
    await supervisor.start(python("driver", "import time; time.sleep(60)", needs=("head",)))
    head, driver = supervisor.pid("head"), supervisor.pid("driver")
    assert head is not None
    os.kill(head, signal.SIGKILL)
    await eventually(lambda: supervisor.restarts("driver") == 1 and supervisor.is_ready("driver"))
    assert supervisor.pid("driver") not in (None, driver)


async def test_stopping_while_a_child_waits_for_its_restart_ends_it(
    supervisor: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "BACKOFF_S", (30.0,))
    await supervisor.start(python("sleeper", "import time; time.sleep(60)"))
    pid = supervisor.pid("sleeper")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: supervisor.pid("sleeper") is None)
    await supervisor.stop("sleeper")
    assert supervisor.pids() == {}
