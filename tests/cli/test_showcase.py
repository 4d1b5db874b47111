"""The parts of the demo: problems, grading, totals, and the receiver that trusts no unsigned webhook."""

import base64
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console
from standardwebhooks.webhooks import Webhook

from cli.showcase.problems import EXAMPLES, Example, is_right, read_examples
from cli.showcase.receiver import Receiver
from cli.showcase.tables import Solved, job_table, totals_table

SECRET = "whsec_" + base64.b64encode(b"0" * 32).decode()


def job(answer: str | None, tokens: int = 10) -> dict[str, Any]:
    usage = {"generated_tokens": tokens, "verified_tokens": 1, "seconds": 0.5}
    return {"answer": answer, "status": "completed", "stop_reason": "complete", "confidence": 0.5, "usage": usage}


def test_the_examples_are_at_least_forty_over_five_levels() -> None:
    examples = read_examples(EXAMPLES)
    assert len(examples) >= 40
    assert {example.level for example in examples} == {1, 2, 3, 4, 5}
    assert len({example.problem for example in examples}) == len(examples)


@pytest.mark.parametrize(
    ("answer", "right"), [("12", True), ("12.0", True), (r"\frac{24}{2}", True), ("13", False), (None, False)]
)
def test_an_answer_is_right_when_it_means_the_known_one(answer: str | None, right: bool) -> None:
    assert is_right(Example("3 * 4", "12", 1), job(answer)) is right


def test_totals_are_by_strategy_and_level() -> None:
    easy, hard = Example("a", "1", 1), Example("b", "2", 2)
    solved = [Solved(easy, "x", job("1")), Solved(hard, "x", job("3")), Solved(easy, "y", job(None, 20))]
    console = Console(file=io.StringIO(), width=100)
    console.print(totals_table(solved))
    console.print(job_table(solved))
    assert isinstance(console.file, io.StringIO)
    lines = [line.replace("│", " ").split() for line in console.file.getvalue().splitlines()]
    assert ["1", "1/1", "0/1", "11", "21"] in lines
    assert ["all", "1/2", "0/1", "22", "21"] in lines
    assert any("no (2)" in " ".join(line) for line in lines)


def send(url: str, secret: str) -> None:
    body, at = '{"type": "job.completed"}', datetime.now(tz=UTC)
    signature = Webhook(secret).sign("whd_1", at, body)
    headers = {
        "webhook-id": "whd_1",
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
    assert httpx.post(url, content=body, headers=headers, trust_env=False).status_code == 204


def test_a_signed_webhook_is_verified() -> None:
    with Receiver() as receiver:
        send(receiver.url, SECRET)
        assert receiver.verified(SECRET, 5.0) == "whd_1"


def test_a_webhook_with_a_wrong_signature_is_not() -> None:
    with Receiver() as receiver:
        send(receiver.url, "whsec_" + base64.b64encode(b"1" * 32).decode())
        assert receiver.verified(SECRET, 5.0) is None


def test_none_in_time_is_none() -> None:
    with Receiver() as receiver:
        assert receiver.verified(SECRET, 0.05) is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    from domain.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"can't read .*nothing.jsonl: No such file"):
        read_examples(tmp_path / "nothing.jsonl")
