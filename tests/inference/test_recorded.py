"""The recorded engine: the file's shape, drawing without replacement, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError, EngineError
from domain.moves import FinishReason
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from inference.engines.base import CallFailure
from inference.engines.factory import load_policy
from inference.engines.recorded import EXHAUSTED, UNKNOWN, WHOLE_ONLY, RecordedEngine, parse_source
from inference.engines.recording import read_recordings
from inference.verifiers.factory import load_verifier
from inference.verifiers.recorded import UNSCORED

ROW = {
    "problem_id": "p1",
    "question": "What is 6 · 7?",
    "gold": "42",
    "samples": [
        {"text": "6 · 7\n\n\\boxed{42}", "completion_tokens": 10, "correct": True, "prm_step_scores": [0.5, 0.9]},
        {"text": "no idea", "answer": None, "completion_tokens": 4, "correct": False},
        {"answer": 41, "completion_tokens": 7},
        {"text": "cut \\boxed{42}", "answer": "42", "completion_tokens": 9, "finish": "length"},
    ],
}


def written(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "record.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def request(seed: int, **changes: Any) -> SampleRequest:
    values: dict[str, Any] = {"key": f"k{seed}", "problem": ROW["question"], "prefix": "", "seed": seed}
    return SampleRequest(**(values | {"max_tokens": 100} | changes))


def answered(engine: Any, *requests: SampleRequest) -> list[Completion | CallFailure]:
    for one in requests:
        engine.add(one)
    return list(engine.step())


def test_samples_come_in_recorded_order_with_their_recorded_cost(tmp_path: Path) -> None:
    engine = load_policy(f"recorded:{written(tmp_path, ROW)}?parameters=1000", threads=1)
    found = answered(engine, *map(request, range(4)))
    assert [(one.answer and one.answer.key, one.finish, one.cost.generated_tokens) for one in found] == [
        ("q:42", FinishReason.END, 10),
        (None, FinishReason.END, 4),
        ("q:41", FinishReason.END, 7),
        (None, FinishReason.LENGTH, 9),
    ]
    assert found[0].cost.flops == 2 * 1000 * 10
    assert [one.cost.rollouts for one in found] == [1] * 4
    assert engine.pending == 0


def test_nothing_is_drawn_twice_and_a_repeated_call_repeats(tmp_path: Path) -> None:
    engine = load_policy(f"recorded:{written(tmp_path, ROW)}", threads=1)
    first = answered(engine, *map(request, range(4)))
    assert len({one.text for one in first}) == 4
    again = answered(engine, request(2, key="another attempt"))
    assert again[0].text == first[2].text
    (beyond,) = answered(engine, request(99))
    assert beyond == CallFailure("k99", EXHAUSTED, retryable=False)


def test_a_seed_fixes_another_order(tmp_path: Path) -> None:
    path = written(tmp_path, ROW | {"samples": [{"answer": str(n)} for n in range(20)]})

    def dealt(spec: str) -> list[str]:
        return [one.answer.text for one in answered(load_policy(spec, threads=1), *map(request, range(20)))]

    orders = [dealt(f"recorded:{path}?seed={seed}") for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(map(int, orders[2])) == list(range(20))
    assert dealt(f"recorded:{path}") == [str(n) for n in range(20)]


def test_a_lower_token_limit_cuts_as_it_would_have_cut_the_model(tmp_path: Path) -> None:
    (cut,) = answered(load_policy(f"recorded:{written(tmp_path, ROW)}", threads=1), request(0, max_tokens=9))
    assert (cut.finish, cut.answer, cut.cost.generated_tokens) == (FinishReason.LENGTH, None, 9)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prefix": "6 · 7"}, WHOLE_ONLY),
        ({"stop": ("\n\n",)}, WHOLE_ONLY),
        ({"attempts": ("41",)}, WHOLE_ONLY),
        ({"problem": "?"}, UNKNOWN),
    ],
)
def test_what_a_record_cannot_answer_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    engine = load_policy(f"recorded:{written(tmp_path, ROW)}", threads=1)
    with pytest.raises(EngineError, match=said[:20]) as caught:
        engine.add(request(0, **changes))
    assert not caught.value.retryable


def test_an_aborted_call_comes_back_as_a_failure(tmp_path: Path) -> None:
    engine = RecordedEngine(read_recordings(written(tmp_path, ROW)), "recorded")
    engine.add(request(0))
    engine.abort(["k0", "unknown"])
    (failure,) = engine.step()
    assert isinstance(failure, CallFailure)
    assert engine.step() == []
    assert not engine.decks[str(ROW["question"])].drawn


def test_the_verifier_gives_recorded_scores_and_no_others(tmp_path: Path) -> None:
    verifier = load_verifier(f"recorded:{written(tmp_path, ROW)}", threads=1)
    verifier.add(ScoreRequest("s", str(ROW["question"]), ROW["samples"][0]["text"]))  # type: ignore[index]
    (scores,) = verifier.step()
    assert isinstance(scores, StepScores)
    assert (scores.scores, scores.cost.verified_tokens, scores.cost.verifier_calls) == ((0.5, 0.9), 10, 1)
    with pytest.raises(EngineError, match=UNSCORED):
        verifier.add(ScoreRequest("s", str(ROW["question"]), "no idea"))


def test_what_may_be_missing(tmp_path: Path) -> None:
    path = written(tmp_path, {"id": 7, "samples": [{"answer": "3"}, {"answer": 3.5}, {"text": "so \\boxed{4}"}]}, "")
    (recording,) = read_recordings(path)
    assert (recording.id, recording.gold) == ("7", None)
    assert "7" in recording.question
    assert [sample.answer.key for sample in recording.samples if sample.answer] == ["q:3", "q:7/2", "q:4"]
    assert len({sample.text for sample in recording.samples}) == 3
    assert {sample.tokens for sample in recording.samples} == {None}


def test_a_line_separator_inside_of_a_text_ends_no_line(tmp_path: Path) -> None:
    row = json.dumps({"id": 1, "samples": [{"text": "a\u2028b", "answer": "1"}]}, ensure_ascii=False)
    (recording,) = read_recordings(written(tmp_path, row))
    assert recording.samples[0].text == "a\u2028b"


def test_a_byte_order_mark_and_an_empty_problem_id_are_read_over(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"problem_id": null, "id": 3, "gold": 1, "samples": [{"answer": 1}]}\r\n')
    (recording,) = read_recordings(path)
    assert (recording.id, recording.gold) == ("3", "1")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", ":1: this is no JSON object"),
        ("[1]", ":1: this is no JSON object"),
        ({"samples": [{"answer": "1"}]}, ":1: problem_id is missing"),
        ({"id": 1}, ":1: samples must be a list"),
        ({"id": 1, "samples": []}, ":1: samples must be a list"),
        ({"id": 1, "samples": [{"answer": "1"}, {}]}, ":1: sample 2: it needs an answer or a text"),
        ({"id": 1, "samples": [{"answer": [1]}]}, "answer must be a string or a number"),
        ({"id": 1, "samples": [{"answer": "1", "completion_tokens": -1}]}, "completion_tokens must be"),
        ({"id": 1, "samples": [{"answer": "1", "correct": "yes"}]}, "correct must be true or false"),
        ({"id": 1, "samples": [{"answer": "1", "prm_step_scores": [0.5, 2]}]}, "numbers from 0 to 1"),
        ({"id": 1, "samples": [{"answer": "1", "prm_step_scores": 0.5}]}, "must be a list"),
        ({"id": 1, "gold": [1], "samples": [{"answer": "1"}]}, ":1: gold must be a string or a number"),
        ({"id": 1, "gold": True, "samples": [{"answer": "1"}]}, ":1: gold must be a string or a number"),
        ({"id": 1, "question": "\ud800", "samples": [{"answer": "1"}]}, ":1: a text holds half of a surrogate pair"),
        ("", "holds no line"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path: Path, row: Any, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_recordings(written(tmp_path, row))
    assert said in caught.value.message
    assert "record.jsonl" in caught.value.message


def test_bad_specs_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_policy(f"recorded:{tmp_path}/none.jsonl", threads=1)
    with pytest.raises(ConfigurationError, match="unknown option 'sed'"):
        parse_source("recorded:x?sed=1")
    with pytest.raises(ConfigurationError, match="'seed' needs a number"):
        parse_source("recorded:x?seed=a")
