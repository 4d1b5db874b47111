"""The commands against a running service."""

import json
import re
from collections.abc import Callable

import pytest

from cli.main import BAD_INPUT, run
from cli.stack.background import BackgroundStack
from domain.effort import adaptive_for
from domain.ids import is_id
from domain.recipe import spec_to_json

pytestmark = pytest.mark.integration
Say = Callable[..., str]


@pytest.fixture
def say(stack: BackgroundStack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command with this stack's home and give what it printed."""
    monkeypatch.setenv("DELIBERATE_HOME", str(stack.settings.home))
    monkeypatch.setenv("DELIBERATE_POLICY", stack.settings.policy)
    monkeypatch.setenv("DELIBERATE_VERIFIER", stack.settings.verifier)

    def call(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert run(arguments) == code
        out, err = capsys.readouterr()
        return err if code else out

    return call


def test_submit_prints_the_id_and_result_waits_for_the_answer(say: Say) -> None:
    job_id = say("submit", "What is 3 + 4?", "-s", "self_consistency", "-n", "8", "--seed", "7").strip()
    assert is_id("job", job_id)
    text = say("result", job_id, "--wait")
    assert "stop reason  complete" in text
    assert "(agreement)" in text
    assert "rollouts     8 (0 verifier calls)" in text
    job = json.loads(say("result", job_id, "--json"))
    assert job["seed"] == 7
    assert job["strategy"]["n"] == 8
    assert job_id in say("list")


def test_everything_that_can_be_asked_for_reaches_the_service(say: Say) -> None:
    options = [
        "-s",
        "best_of_n",
        "-p",
        "temperature=0.5",
        "-p",
        "selection=best",
        "--tokens",
        "5000",
        "--seconds",
        "60",
        "-c",
        "0.9",
    ]
    more = ["-m", "who=me", "--priority", "3", "--wait", "--json"]
    job = json.loads(say("submit", "What is 2 + 2?", "-n", "4", *options, *more))
    assert job["strategy"] == {
        "name": "best_of_n", "n": 4, "selection": "best", "aggregation": "last",
        "temperature": 0.5, "top_p": 1.0, "max_tokens": 512,
    }  # fmt: skip
    assert job["budget"] == {"tokens": 5000, "flops": None, "rollouts": None, "seconds": 60.0}
    assert (job["confidence_target"], job["metadata"], job["priority"]) == (0.9, {"who": "me"}, 3)


def test_an_effort_reaches_the_service_and_what_is_named_beside_it_wins(say: Say) -> None:
    plain, chosen = (
        json.loads(say("submit", "What is 2 + 2?", "--effort", "minimal", *more, "--wait", "--json"))
        for more in ([], ["-n", "3", "-c", "0.5"])
    )
    assert plain["strategy"] == spec_to_json(adaptive_for("minimal"))
    assert plain["usage"]["rollouts"] <= 4
    assert chosen["strategy"] == plain["strategy"] | {"n": 3}
    assert chosen["confidence_target"] == 0.5


def test_watch_follows_a_job_to_its_end(say: Say) -> None:
    job_id = say("submit", "What is 5 + 6?", "-s", "best_of_n", "-n", "6").strip()
    text = say("watch", job_id)
    assert "What is 5 + 6?" in text
    moves = re.search(r"(\d+) moves done", text)
    assert moves is not None
    assert 7 <= int(moves[1]) <= 12  # equal solutions are scored once
    assert "stop reason  complete" in text


def test_cancel_ends_a_job_and_an_ended_one_stays(say: Say) -> None:
    ended = json.loads(say("submit", "What is 1 + 1?", "-n", "1", "--wait", "--json"))
    assert say("cancel", ended["id"]) == f"{ended['id']} is completed\n"
    job_id = say("submit", "What is 1 + 2?", "-s", "best_of_n", "-n", "4096").strip()
    assert job_id in say("cancel", job_id)
    assert json.loads(say("result", job_id, "--wait", "--json"))["status"] == "cancelled"


def test_the_services_own_refusal_is_shown(say: Say) -> None:
    assert say("result", "job_00000000000000000000000000", code=BAD_INPUT).count("\n") == 1
    assert "webhook_url" in say("submit", "x", "--webhook", "ftp://x", code=BAD_INPUT)
    assert "status" in say("list", "--status", "asleep", code=BAD_INPUT)


def test_a_wrong_key_names_the_remedy(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATE_API_KEYS", "wrong")
    assert "refuses the key: set DELIBERATE_HOME or DELIBERATE_API_KEYS" in say("list", code=BAD_INPUT)


def test_doctor_finds_the_running_stack(say: Say, stack: BackgroundStack) -> None:
    text = say("doctor")
    assert f"ok   stack           {stack.url} is ready" in text
    assert "BAD" not in text


def test_doctor_says_what_is_wrong_and_how_to_mend_it(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATE_POLICY", "/nowhere/model")
    monkeypatch.setenv("DELIBERATE_DATABASE_URL", "postgresql://u:secret@127.0.0.1:1/x")
    monkeypatch.setenv("DELIBERATE_REDIS_URL", "redis://:secret@127.0.0.1:1")
    monkeypatch.setenv("DELIBERATE_RAY_ADDRESS", "127.0.0.1:1")
    assert run(["doctor"]) == 1


def test_solve_needs_no_server(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELIBERATE_HOME", "/nowhere")
    arguments = ("solve", "What is 3 + 4?", "-s", "best_of_n", "-n", "8", "--seed", "3")
    calls = re.search(r"rollouts     8 \((\d) verifier calls\)", say(*arguments))
    assert calls is not None
    assert 1 <= int(calls[1]) <= 8  # equal solutions are scored once
    first, again = (json.loads(say(*arguments, "--json")) for _ in range(2))
    assert first["verdict"] == again["verdict"]
    assert first["spend"]["rollouts"] == 8
    least = json.loads(say("solve", "What is 3 + 4?", "--effort", "none", "--json"))
    assert (least["spend"]["rollouts"], least["verdict"]["confidence_kind"]) == (1, "agreement")
    without = say("solve", "What is 3 + 4?", "-s", "self_consistency", "-n", "4", "--verifier", "none")
    assert "rollouts     4 (0 verifier calls)" in without
