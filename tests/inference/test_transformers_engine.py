"""The engine's law: a call's result depends on its own request only, however its neighbours come and go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import torch

from domain.budget import Spend
from domain.errors import EngineError
from domain.moves import FinishReason
from domain.ports import Completion, SampleRequest
from inference.checks import Head
from inference.engines.admission import Limits
from inference.engines.base import CallFailure, Engine
from inference.engines.batched import BatchedEngine
from inference.engines.factory import load_policy
from inference.engines.fast import native
from inference.engines.fast.engine import FastEngine
from inference.engines.paths import VARIABLE, policy_engine
from inference.engines.transformers_engine import TransformersEngine
from inference.loading import load
from inference.prompts import sample_ids

PROBLEMS = ["1+1", "What is 12 * (3 + 4)?", "Sum 1 to 10.", "x" * 40]


PATHS = {
    "plain": (TransformersEngine, {VARIABLE: "plain"}),
    "fast": (FastEngine, {VARIABLE: "fast"}),
    "fast, not compiled": (FastEngine, {VARIABLE: "fast", native.VARIABLE: "off"}),
}


@pytest.fixture(scope="module", params=PATHS, autouse=True)
def path(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything here holds on both paths of the engine."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PATHS[request.param][1].items():
            patch.setenv(name, value)
        yield request.param


@pytest.fixture(scope="module")
def engine(policy_folder: Path, path: str) -> BatchedEngine:
    engine = load_policy(str(policy_folder), threads=1, device="cpu")
    assert type(engine) is PATHS[path][0]
    return engine


def request(key: str, problem: str = PROBLEMS[0], **changes: object) -> SampleRequest:
    return SampleRequest(**({"key": key, "problem": problem, "prefix": "", "seed": 7, "max_tokens": 24} | changes))


def run(engine: Engine, requests: Iterable[SampleRequest]) -> dict[str, Completion | CallFailure]:
    for item in requests:
        engine.add(item)
    results = {}
    while engine.pending:
        for result in engine.step():
            assert result.key not in results
            results[result.key] = result
    return results


def mixed() -> list[SampleRequest]:
    heats = [0.0, 1.0, 0.7, 1.3]
    return [
        request(
            f"r{i}",
            PROBLEMS[i % 4],
            seed=i,
            temperature=heats[i // 4 % 4],
            top_p=1.0 if i % 3 else 0.8,
            max_tokens=5 + 7 * i % 50,
        )
        for i in range(40)
    ]


def test_greedy_is_the_models_own_greedy(engine: BatchedEngine, policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    for problem in PROBLEMS:
        ids = torch.tensor([sample_ids(loaded.tokenizer, problem, "A step.\n\n")])
        expected = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=30)
        expected_ids = expected[0, ids.shape[1] :].tolist()
        (result,) = run(engine, [request("g", problem, prefix="A step.\n\n", temperature=0.0, max_tokens=30)]).values()
        ended = expected_ids[-1] in (2, 20)
        text = loaded.tokenizer.decode(expected_ids[:-1] if ended else expected_ids, skip_special_tokens=True)
        assert result.text == text
        assert result.finish is (FinishReason.END if ended else FinishReason.LENGTH)
        assert result.cost.generated_tokens == len(expected_ids)


@pytest.fixture(scope="module")
def alone(engine: BatchedEngine) -> dict[str, Completion]:
    """Each of the mixed calls in a batch of its own."""
    return {item.key: run(engine, [item])[item.key] for item in mixed()}


@pytest.mark.parametrize("rows", [3, 64])
def test_neighbours_do_not_matter(policy_folder: Path, alone: dict[str, Completion], rows: int) -> None:
    crowded = load_policy(str(policy_folder), threads=1, device="cpu", rows=rows)
    together = run(crowded, mixed())
    assert {key: result.text for key, result in together.items()} == {key: item.text for key, item in alone.items()}
    assert {key: result.finish for key, result in together.items()} == {k: item.finish for k, item in alone.items()}
    for key, result in together.items():
        assert result.logprob == pytest.approx(alone[key].logprob, abs=1e-3)
        assert result.cost == alone[key].cost
    assert len({result.text for result in together.values()}) > 20


def test_calls_that_arrive_later_join_the_running_batch(engine: BatchedEngine, alone: dict[str, Completion]) -> None:
    results: dict[str, str] = {}
    arriving = mixed()
    while arriving or engine.pending:
        for item in arriving[:2]:
            engine.add(item)
        arriving = arriving[2:]
        results |= {result.key: result.text for result in engine.step()}
    assert results == {key: result.text for key, result in alone.items()}


def test_token_limits_bound_the_batch_and_lose_nothing(policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    small = policy_engine(loaded, "tiny", Limits(rows=64, tokens=150, prefill_tokens=60))
    results = run(small, mixed())
    assert len(results) == 40
    assert all(isinstance(result, Completion) for result in results.values())


def test_logprob_is_that_of_a_full_forward_pass(engine: BatchedEngine, policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    results = run(engine, [request(f"l{i}", seed=i, temperature=0.7, top_p=0.9) for i in range(6)])
    for result in (item for item in results.values() if item.finish is FinishReason.LENGTH):
        prompt = sample_ids(loaded.tokenizer, PROBLEMS[0], "")
        ids = prompt + loaded.tokenizer(result.text, add_special_tokens=False)["input_ids"]
        if len(ids) - len(prompt) != result.cost.generated_tokens:
            continue  # a special token was drawn, which is no text
        with torch.inference_mode():
            logprobs = loaded.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        expected = sum(logprobs[at - 1, ids[at]].item() for at in range(len(prompt), len(ids)))
        assert result.logprob == pytest.approx(expected, abs=1e-3)
        return
    pytest.fail("no sample had text only")


def test_cost_counts_prompt_and_drawn_tokens(engine: BatchedEngine) -> None:
    (result,) = run(engine, [request("c", temperature=0.0, max_tokens=3)]).values()
    cost = result.cost
    assert cost.prompt_tokens == len("<Q: 1+1\nA:\n")
    assert cost.generated_tokens <= 3
    assert cost.flops == 2 * engine.info.parameters * (cost.prompt_tokens + cost.generated_tokens)
    assert (cost.rollouts, cost.verified_tokens, cost.verifier_calls) == (1, 0, 0)


def test_a_stop_string_of_several_tokens_ends_the_text_before_it(engine: BatchedEngine) -> None:
    whole = run(engine, [request(f"s{i}", seed=i, max_tokens=40) for i in range(16)])
    long = [index for index in range(16) if len(whole[f"s{index}"].text) > 20]
    assert len(long) > 3
    for index in long:
        text = whole[f"s{index}"].text
        stop = text[10:13]
        (cut,) = run(engine, [request("cut", seed=index, max_tokens=40, stop=("never there", stop))]).values()
        assert cut.finish is FinishReason.STOP
        assert cut.text == text[: text.index(stop)]
        assert cut.answer is None


def test_end_of_sequence_comes_from_the_generation_config(engine: BatchedEngine) -> None:
    results = run(engine, [request(f"e{i}", seed=i, temperature=1.5, max_tokens=200) for i in range(24)])
    ends = [result for result in results.values() if result.finish is FinishReason.END]
    assert ends, "token 20 is an end of sequence for the generation config only"
    letter = engine._tokenizer.decode([20])
    assert not any(letter in result.text for result in results.values())


def test_length_is_clipped_to_the_context(engine: BatchedEngine) -> None:
    results = run(engine, [request(f"n{i}", seed=i, max_tokens=10_000, prefix="y" * 200) for i in range(4)])
    for result in results.values():
        assert result.cost.prompt_tokens + result.cost.generated_tokens <= engine.info.context_tokens
        assert result.finish is FinishReason.END or (result.finish is FinishReason.LENGTH and result.answer is None)


def test_a_prompt_longer_than_the_context_is_refused(engine: BatchedEngine) -> None:
    with pytest.raises(EngineError, match="context is 256") as caught:
        engine.add(request("long", "z" * 300))
    assert not caught.value.retryable
    assert engine.pending == 0


def test_a_truncated_text_has_no_answer(engine: BatchedEngine) -> None:
    (result,) = run(engine, [request("b", prefix=r"\boxed{4} ", temperature=0.0, max_tokens=1)]).values()
    assert result.finish is FinishReason.LENGTH
    assert result.answer is None


def test_an_aborted_call_frees_its_slot_and_is_charged(policy_folder: Path) -> None:
    engine = load_policy(str(policy_folder), threads=1, device="cpu", rows=1)
    engine.add(request("first", max_tokens=200, temperature=0.0))
    engine.add(request("second", max_tokens=2))
    engine.step()
    engine.abort(["first", "unknown"])
    engine.abort(["first"])
    results = list(engine.step())
    while engine.pending:
        results += engine.step()
    assert [type(result) for result in results] == [CallFailure, Completion]
    assert results[0].key == "first"
    assert not results[0].retryable
    assert 0 < results[0].cost.generated_tokens < 5


def test_abort_of_a_waiting_call(policy_folder: Path) -> None:
    engine = load_policy(str(policy_folder), threads=1, device="cpu", rows=1)
    for key in ("running", "waiting", "next"):
        engine.add(request(key, max_tokens=6, temperature=0.0))
    engine.step()
    engine.abort(["waiting"])
    (failure,) = engine.step()
    assert failure.key == "waiting"
    assert failure.cost == Spend()
    assert set(run(engine, [])) == {"running", "next"}


def test_reset_forgets_everything(engine: BatchedEngine) -> None:
    engine.add(request("lost"))
    engine.step()
    engine.reset()
    assert engine.pending == 0
    assert list(engine.step()) == []
    assert set(run(engine, [request("lost", max_tokens=2)])) == {"lost"}


def test_a_long_call_leaves_no_padding_behind_and_changes_nothing(engine: BatchedEngine) -> None:
    short = request("short", temperature=0.9, max_tokens=120, seed=18)
    alone = run(engine, [short])["short"]
    assert alone.cost.generated_tokens > 40
    engine.add(request("long", "z" * 150, max_tokens=3))
    engine.add(short)
    results, lengths = {}, []
    while engine.pending:
        results |= {result.key: result for result in engine.step()}
        lengths.append(engine.columns)
    assert lengths[0] > 150
    assert lengths[10] < 60
    assert results["short"].text == alone.text
