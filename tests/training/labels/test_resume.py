"""Kills on the way, torn journals and other workers: the files come out the same, byte for byte."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from domain.errors import ConfigurationError, EngineError
from domain.moves import FinishReason
from domain.ports import SampleRequest
from training.labels import calls
from training.labels.calls import Chunk, Ran, Rollout, chunks_of
from training.labels.journal import Journal
from training.labels.monte_carlo import LabelSettings, make_labels
from training.problems.files import ProblemRecord

POLICY = "scripted:accuracy=0.5,delay_ms=40,fail=0.05"
SETTINGS = LabelSettings(samples=4, rollouts=4)
PROGRAM = """
import sys
from pathlib import Path
from training.labels import calls
from training.labels.monte_carlo import LabelSettings, make_labels
from training.problems.files import read_problems
calls.SMALLEST = 16
make_labels(sys.argv[3], read_problems(Path(sys.argv[1])), LabelSettings(4, 4), Path(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "SMALLEST", 16)


def written(path: Path, problems: list[ProblemRecord]) -> Path:
    lines = [{"id": one.id, "problem": one.problem, "answer": one.answer} for one in problems]
    lines = [line | {"subject": one.subject, "level": 1} for line, one in zip(lines, problems, strict=True)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def timeless(out: Path) -> dict[str, object]:
    found = json.loads(out.with_name(out.name + ".manifest.json").read_text())
    assert found.pop("timing")["engine_seconds"] >= 0
    return found


def ended_chunks(journal: Path) -> int:
    return journal.read_bytes().count(b'"chunk": ') if journal.exists() else 0


def killed_at(command: list[str], journal: Path, chunks: int) -> None:
    """Kills the command as soon as the journal has that many chunks."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while ended_chunks(journal) < chunks:
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_run_that_was_killed_twice_ends_with_the_same_files(tmp_path: Path, problems: list[ProblemRecord]) -> None:
    file = written(tmp_path / "problems.jsonl", problems)
    out, journal = tmp_path / "killed.jsonl", tmp_path / "killed.jsonl.journal"
    command = [sys.executable, "-c", PROGRAM, str(file), str(out), POLICY]
    killed_at(command, journal, 2)
    assert not out.exists()
    killed_at(command, journal, 6)
    with journal.open("ab") as file_:
        file_.write(b'{"key": "0/1/')  # as a kill in the middle of a write leaves it
    kept = ended_chunks(journal)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"goes on after {kept} chunks and drops a torn one" in done.stderr
    straight = make_labels(POLICY, problems, SETTINGS, tmp_path / "straight.jsonl")
    assert out.read_bytes() == straight.read_bytes()
    assert timeless(out) == timeless(straight)
    assert not journal.exists()


def test_several_processes_give_the_same_file(tmp_path: Path, problems: list[ProblemRecord]) -> None:
    one = make_labels(POLICY, problems, SETTINGS, tmp_path / "one.jsonl")
    two = make_labels(POLICY, problems, SETTINGS, tmp_path / "two.jsonl", workers=2)
    assert one.read_bytes() == two.read_bytes()
    assert timeless(one) == timeless(two)


def test_a_worker_that_dies_is_one_clear_line_and_costs_no_more_than_its_chunk(
    tmp_path: Path, problems: list[ProblemRecord]
) -> None:
    out = tmp_path / "labels.jsonl"
    dying = "scripted:accuracy=0.5,die_after=40"
    with pytest.raises(EngineError, match=r"exit code 17.*start the same command again"):
        make_labels(dying, problems, SETTINGS, out, workers=2)
    assert ended_chunks(tmp_path / "labels.jsonl.journal") >= 1


def test_a_policy_that_fails_for_good_leaves_the_journal(told, tmp_path: Path, problems: list[ProblemRecord]) -> None:
    def tell(request: SampleRequest, index: int) -> tuple[str, FinishReason]:
        if request.key.startswith("9/"):
            raise EngineError("the device is lost")
        return "\\boxed{1}", FinishReason.END

    engine = told(tell)
    with pytest.raises(EngineError, match="lost"):
        make_labels("told", problems, SETTINGS, tmp_path / "labels.jsonl")
    before = len(engine.asked)
    told(lambda request, index: ("\\boxed{1}", FinishReason.END))
    out = make_labels("told", problems, SETTINGS, tmp_path / "labels.jsonl")
    assert before > 32
    assert len(out.read_text().splitlines()) == len(problems)


def ran(name: str = "s/0", seed: int = 1) -> Ran:
    request = SampleRequest("a", "p", "", seed, 5)
    return Ran(Chunk(name, (request,)), (Rollout("a", "t", FinishReason.END, None, -0.1, 1, 2),), 0.5)


@pytest.mark.parametrize("torn", [b"{", b'{"key": "b", "text": "x"}\n', b"\xff\xfe", b'{"chunk": "s/1"}\n', b"[1]\n"])
def test_what_was_torn_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, {"a": 1}) as journal:
        journal.add(ran())
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    with Journal(path, {"a": 1}) as journal:
        assert journal.get(ran().chunk) == ran().results
        assert path.read_bytes() == whole
        journal.add(ran("s/1"))
    with Journal(path, {"a": 1}) as journal:
        assert journal.get(ran("s/1").chunk) == ran().results
        assert journal.seconds == 1.0


def test_a_journal_cut_anywhere_keeps_its_whole_chunks(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, {"a": 1}) as journal:
        header = path.stat().st_size
        journal.add(ran())
    whole = path.read_bytes()
    for size in [*range(0, header, 40), *range(header - 2, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with Journal(path, {"a": 1}) as journal:
            assert journal.get(ran().chunk) is None
        assert path.stat().st_size == header


def test_a_journal_of_another_run_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, {"seed": 1}) as journal:
        journal.add(ran())
        with pytest.raises(ConfigurationError, match="in use"):
            Journal(path, {"seed": 1})
        with pytest.raises(ConfigurationError, match="other settings or data"):
            journal.get(ran(seed=2).chunk)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="delete it, or choose another name"):
        Journal(path, {"seed": 2})
    assert path.read_bytes() == before
    path.write_text("my notes, without an end of line")
    with pytest.raises(ConfigurationError, match="other settings"):
        Journal(path, {"seed": 2})
    assert path.read_text().startswith("my notes")


def test_chunks_depend_on_the_number_of_requests_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "SMALLEST", 4)
    requests = [SampleRequest(str(at), "p", "", at, 5) for at in range(10)]
    found = chunks_of("s", requests)
    assert [len(chunk.requests) for chunk in found] == [4, 4, 2]
    assert [request for chunk in found for request in chunk.requests] == requests
    assert chunks_of("s", []) == []
    assert [chunk.name for chunk in found] == ["s/0", "s/1", "s/2"]
