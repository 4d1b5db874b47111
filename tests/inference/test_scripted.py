"""The scripted models repeat exactly, keep the real text format, and fail, wait and die as told."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace

import pytest

from domain.errors import ConfigurationError
from domain.moves import FinishReason, split_steps
from domain.ports import Completion, SampleRequest, ScoreRequest
from inference.engines.base import CallFailure, Engine
from inference.engines.factory import load_policy
from inference.verifiers.factory import load_verifier

PROBLEM = "What is 3 + 4 * 2 - 5?"


def request(key: str = "k", seed: int = 1, **changes: object) -> SampleRequest:
    return replace(SampleRequest(key, PROBLEM, "", seed=seed, max_tokens=100), **changes)


def run(engine: Engine, *requests: SampleRequest) -> list[Completion]:
    for item in requests:
        engine.add(item)
    results = []
    while engine.pending:
        results += engine.step()
    return sorted(results, key=lambda result: result.key)


def policy(options: str = "") -> Engine:
    return load_policy(f"scripted:{options}", threads=1)


def test_the_same_call_gives_the_same_result_in_any_process() -> None:
    first = run(policy("seed=3"), *(request(f"k{i:02}", i) for i in range(30)))
    again = run(policy("seed=3"), *(request(f"k{i:02}", i) for i in reversed(range(30))))
    assert first == again
    assert first != run(policy("seed=4"), *(request(f"k{i:02}", i) for i in range(30)))


@pytest.mark.parametrize("accuracy", [0.0, 0.3, 0.9, 1.0])
def test_accuracy_is_the_share_of_right_answers(accuracy: float) -> None:
    results = run(policy(f"accuracy={accuracy}"), *(request(f"k{i}", i) for i in range(600)))
    right = sum(result.answer is not None and result.answer.key == "q:6" for result in results) / 600
    assert right == pytest.approx(accuracy, abs=0.06)
    assert all(result.finish is FinishReason.END and len(split_steps(result.text)) == 3 for result in results)


def test_temperature_zero_ignores_the_seed() -> None:
    first, second = run(policy(), request("a", 1, temperature=0.0), request("b", 2, temperature=0.0))
    assert first.text == second.text


def test_other_problems_have_one_right_answer_too() -> None:
    problem = "How many primes are there below one hundred?"
    results = run(policy("accuracy=1"), *(request(f"k{i}", i, problem=problem) for i in range(20)))
    assert len({result.text for result in results}) == 1
    assert results[0].answer is not None


def test_a_solution_can_be_written_step_by_step() -> None:
    engine, prefix = policy("accuracy=1"), ""
    for index in range(3):
        (result,) = run(engine, request(f"k{index}", prefix=prefix, stop=("\n\n",)))
        prefix += result.text + "\n\n"
        assert result.finish is (FinishReason.STOP if index < 2 else FinishReason.END)
    assert result.answer is not None
    assert result.answer.key == "q:6"
    assert prefix.strip() == run(engine, request("whole"))[0].text


def test_an_error_in_the_prefix_stays_in_the_answer() -> None:
    prefix = "Step 1: 4 * 2 = 9.\n\n"
    (result,) = run(policy("accuracy=1"), request(prefix=prefix))
    assert result.answer is not None
    assert result.answer.key != "q:6"


def test_a_token_limit_truncates_and_gives_no_answer() -> None:
    (result,) = run(policy("tokens=60"), request(max_tokens=20))
    assert (result.finish, result.answer, result.cost.generated_tokens) == (FinishReason.LENGTH, None, 20)


def test_failures_are_injected_by_key_and_attempt() -> None:
    engine = policy("fail=0.5,accuracy=1")
    keys = [f"k{i}" for i in range(200)]
    first = {result.key: result for result in run(engine, *map(request, keys))}
    failed = [key for key in keys if isinstance(first[key], CallFailure)]
    assert 60 < len(failed) < 140
    assert all(first[key].retryable for key in failed)
    again = run(engine, *map(request, failed))
    assert any(isinstance(result, Completion) for result in again)
    other = {result.key: result for result in run(policy("fail=0.5,accuracy=1"), *map(request, keys))}
    assert first == other


def test_a_delay_waits_without_using_the_processor() -> None:
    started, before = time.monotonic(), time.process_time()
    run(policy("delay_ms=150"), *(request(f"k{i}") for i in range(50)))
    assert 0.15 <= time.monotonic() - started < 1.0
    assert time.process_time() - before < 0.1


def test_the_process_dies_after_the_given_number_of_calls() -> None:
    code = (
        "from inference.engines.factory import load_policy\nfrom domain.ports import SampleRequest\n"
        "engine = load_policy('scripted:die_after=2', threads=1)\n"
        "for i in range(3):\n    engine.add(SampleRequest(str(i), '1 + 1', '', 1, 50))\n"
        "    engine.step()\n    print(i, flush=True)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout.split()) == (17, ["0", "1"])


def test_a_hanging_call_can_be_aborted() -> None:
    engine = policy("hang_after=1")
    assert len(run(engine, request("first"))) == 1
    engine.add(request("hung"))
    assert list(engine.step()) == []
    assert engine.due_s > 1
    engine.abort(["hung"])
    (failure,) = engine.step()
    assert isinstance(failure, CallFailure)
    assert engine.pending == 0


@pytest.mark.parametrize("spec", ["scripted:speed=3", "scripted:accuracy=high"])
def test_a_wrong_option_is_named(spec: str) -> None:
    with pytest.raises(ConfigurationError, match=r"speed|accuracy"):
        load_policy(spec, threads=1)


def test_the_verifier_ranks_right_above_wrong_as_often_as_told() -> None:
    verifier = load_verifier("scripted:auc=0.8", threads=1)
    for index in range(400):
        problem = f"What is {index} + 1?"
        verifier.add(ScoreRequest(f"r{index}", problem, f"Step 1: {index} + 1 = {index + 1}."))
        verifier.add(ScoreRequest(f"w{index}", problem, f"Step 1: {index} + 1 = {index + 2}."))
    scores = {result.key: result.scores[-1] for result in verifier.step()}
    right = [scores[f"r{index}"] for index in range(400)]
    wrong = [scores[f"w{index}"] for index in range(400)]
    auc = sum(good > bad for good in right for bad in wrong) / 400**2
    assert auc == pytest.approx(0.8, abs=0.04)
    assert all(0 <= score <= 1 for score in scores.values())


def test_the_scripted_models_and_the_host_load_no_torch() -> None:
    code = (
        "import sys\nfrom inference.engines.factory import load_policy\n"
        "from inference.verifiers.factory import load_verifier\nimport inference.host, inference.local\n"
        "import inference.answers.equivalence, inference.answers.extract\n"
        "load_policy('scripted:', threads=1); load_verifier('scripted:', threads=1)\n"
        "assert not {'torch', 'transformers', 'sympy', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
