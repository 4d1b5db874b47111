"""Steps that are continued are not read again: the same texts, costs and probabilities as the plain path's."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from domain.moves import STEP_SEPARATOR
from domain.ports import Completion, SampleRequest, ScoreRequest, StepScores
from inference.checks import Head
from inference.engines.admission import Limits
from inference.engines.base import CallFailure
from inference.engines.fast.engine import FastEngine
from inference.engines.sampling import SamplerRows
from inference.engines.transformers_engine import TransformersEngine
from inference.loading import Loaded, load
from inference.verifiers.factory import load_verifier
from inference.verifiers.kept_likelihood import KeptLikelihoodVerifier
from inference.verifiers.likelihood_features import FEATURES
from inference.verifiers.step_likelihood import LikelihoodHead, StepLikelihoodVerifier, load_plain
from tests.support.tiny_models import character_tokenizer

PROBLEMS = ["1+1", "What is 12 * (3 + 4)?"]
STOP = "7"
"""The tiny model does not write blank lines; any stop string ends a step that may be continued."""


@pytest.fixture(scope="module")
def loaded(policy_folder: Path) -> Loaded:
    return load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")


def finished(core: Any, requests: Sequence[Any]) -> list[Any]:
    for request in requests:
        core.add(request)
    results: dict[str, Any] = {}
    while core.pending:
        results |= {result.key: result for result in core.step()}
    return [results[request.key] for request in requests]


def grown(engine: Any, rounds: int = 4) -> list[Completion]:
    """A search over steps: each round continues some of the texts that the round before gave."""
    given: list[Completion] = []
    prefixes = [(problem, "") for problem in PROBLEMS for _ in range(5)]
    for depth in range(rounds):
        asked = [
            SampleRequest(f"{depth}/{at}", problem, prefix, 31 * depth + at, 12, (STOP,), 1.0)
            for at, (problem, prefix) in enumerate(prefixes)
        ]
        results = finished(engine, asked)
        given += results
        texts = [
            (one.problem, one.prefix + done.text + STEP_SEPARATOR) for one, done in zip(asked, results, strict=True)
        ]
        prefixes = [texts[at // 2 * 2] for at in range(len(texts))]
    return given


def assert_alike(fast: Sequence[Completion], plain: Sequence[Completion]) -> None:
    for got, expected in zip(fast, plain, strict=True):
        assert (got.text, got.finish, got.cost) == (expected.text, expected.finish, expected.cost)
        assert got.logprob == pytest.approx(expected.logprob, abs=1e-4 * got.cost.generated_tokens)


@pytest.mark.parametrize("kept_tokens", [0, 70, 10_000])
def test_a_search_over_steps_gets_the_plain_paths_texts(loaded: Loaded, kept_tokens: int) -> None:
    fast = FastEngine(loaded, "tiny", Limits(rows=7), kept_tokens=kept_tokens)
    assert_alike(grown(fast), grown(TransformersEngine(loaded, "tiny", Limits(rows=7))))
    assert fast._prompts.beginnings.kept.tokens <= kept_tokens


def test_a_step_that_is_continued_is_not_read_again(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is made to write what a test can know: three characters, then the separator's two."""
    written = character_tokenizer()("abc" + STEP_SEPARATOR, add_special_tokens=False)["input_ids"]
    engine = FastEngine(loaded, "tiny")
    monkeypatch.setattr("inference.engines.batched.choose", writing(written))
    problem, stop = "1+1", (STEP_SEPARATOR,)
    (first,) = finished(engine, [SampleRequest("a", problem, "", 1, 20, stop)])
    assert first.text == "abc"
    prompt = first.cost.prompt_tokens
    assert engine.read_tokens == prompt + 4, "the last token that was drawn is not read"
    assert first.ends == (prompt,)
    prefix = "abc" + STEP_SEPARATOR
    seconds = finished(engine, [SampleRequest(f"b{at}", problem, prefix, at, 20, stop) for at in range(3)])
    assert [one.ends for one in seconds] == [(prompt, prompt + 5)] * 3
    assert engine.read_tokens == prompt + 4 + 3 * 5, "each reads the separator's end and four of its own"
    (third,) = finished(engine, [SampleRequest("c", problem, 2 * prefix, 1, 20, stop)])
    assert third.ends == (prompt, prompt + 5, prompt + 10)
    assert engine.read_tokens == prompt + 4 + 4 * 5
    assert third.cost.prompt_tokens == prompt + 10, "the cost is in full"
    finished(engine, [SampleRequest("d", problem, "abc" + STEP_SEPARATOR + "ab", 1, 20, stop)])
    assert engine.read_tokens == prompt + 4 + 4 * 5 + 3 + 4, "what was not kept is read"


def writing(written: Sequence[int]) -> Any:
    """Instead of drawing: each call writes these tokens, at the model's own probabilities."""

    def choose(logits: Tensor, rows: SamplerRows) -> tuple[Tensor, Tensor]:
        tokens = torch.tensor([written[position % len(written)] for position in rows.positions.tolist()])
        rows.positions += 1
        return tokens, logits.log_softmax(-1).gather(-1, tokens[:, None])[:, 0]

    return choose


def test_what_follows_a_kept_step_has_the_plain_paths_probabilities(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = character_tokenizer()("a = 5" + STEP_SEPARATOR, add_special_tokens=False)["input_ids"]
    monkeypatch.setattr("inference.engines.batched.choose", writing(written))
    asked = [
        SampleRequest(f"{at}", problem, ("a = 5" + STEP_SEPARATOR) * depth, at, 20, (STEP_SEPARATOR,))
        for depth in range(4)
        for at, problem in enumerate(PROBLEMS)
    ]
    fast, plain = FastEngine(loaded, "tiny"), TransformersEngine(loaded, "tiny")
    results = [[finished(engine, [one])[0] for one in asked] for engine in (fast, plain)]
    assert_alike(*results)
    # Each call reads what it draws but the last token, and before that its problem or the separator's last token.
    before = {request.problem: one.cost.prompt_tokens for one, request in zip(results[0][:2], asked[:2], strict=True)}
    drawn = sum(one.cost.generated_tokens - 1 for one in results[0])
    assert fast.read_tokens == drawn + sum(before.values()) + len(asked) - 2


def test_whole_solutions_are_kept_up_to_each_step(loaded: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    tokenizer = character_tokenizer()
    written = tokenizer(f"ab{STEP_SEPARATOR}cd{STEP_SEPARATOR}ef", add_special_tokens=False)["input_ids"]
    engine = FastEngine(loaded, "tiny")
    monkeypatch.setattr("inference.engines.batched.choose", writing([*written, min(engine._eos)]))
    (whole,) = finished(engine, [SampleRequest("a", "1+1", "", 1, 40)])
    read = engine.read_tokens
    (again,) = finished(engine, [SampleRequest("b", "1+1", f"ab{STEP_SEPARATOR}cd{STEP_SEPARATOR}", 1, 5)])
    assert whole.text == f"ab{STEP_SEPARATOR}cd{STEP_SEPARATOR}ef"
    assert engine.read_tokens - read == again.cost.generated_tokens


def test_an_aborted_call_says_where_it_could_be_read_on(loaded: Loaded) -> None:
    engine = FastEngine(loaded, "tiny")
    engine.add(SampleRequest("a", "1+1", "", 1, 50))
    engine.step()
    engine.abort(["a"])
    (failure,) = engine.step()
    assert isinstance(failure, CallFailure)
    assert failure.ends == (failure.cost.prompt_tokens,)
    assert failure.error().ends == failure.ends
    plain = TransformersEngine(loaded, "tiny")
    assert finished(plain, [SampleRequest("a", "1+1", "", 1, 5)])[0].ends == ()


SOLUTIONS = [
    "1 + 2 = 3\n\nThe answer is 3.",
    "4",
    "1\n\n2\n\n3\n\n12345",
    "1 + 2 = 3\n\nSo.\n\nThe answer is 4.",
    "1\n\n2",
]


def likelihoods(loaded: Loaded, kept_tokens: int) -> tuple[StepLikelihoodVerifier, KeptLikelihoodVerifier]:
    head = LikelihoodHead()
    head.load_state_dict(head.state_dict() | {"spread": head.spread * 3 + len(FEATURES)})
    kept = KeptLikelihoodVerifier(loaded, "tiny", head, kept_tokens=kept_tokens)
    return StepLikelihoodVerifier(loaded, "tiny", head), kept


@pytest.mark.parametrize("kept_tokens", [0, 50, 10_000])
def test_the_kept_likelihood_gives_the_plain_paths_scores(loaded: Loaded, kept_tokens: int) -> None:
    plain, kept = likelihoods(loaded, kept_tokens)
    for problem in PROBLEMS:
        for solutions in (SOLUTIONS[:1], SOLUTIONS, SOLUTIONS[::-1], [SOLUTIONS[3] + "\n\nNo."]):
            asked = [ScoreRequest(str(at), problem, text) for at, text in enumerate(solutions)]
            for few, many in zip(finished(kept, asked), finished(plain, asked), strict=True):
                assert isinstance(few, StepScores)
                assert few.cost == many.cost
                assert list(few.scores) == pytest.approx(list(many.scores), abs=1e-4)
                assert few.ends[-1] == few.cost.verified_tokens
                assert len(few.ends) == len(few.scores) + 1
    assert kept._beginnings.kept.tokens <= kept_tokens


def test_what_solutions_of_one_batch_begin_with_is_read_once(loaded: Loaded) -> None:
    _, kept = likelihoods(loaded, 10_000)
    results = finished(kept, [ScoreRequest(str(at), PROBLEMS[0], text) for at, text in enumerate(SOLUTIONS)])
    prompt = results[0].ends[0]
    steps = {tuple(text.split("\n\n")[: at + 1]) for text in SOLUTIONS for at in range(text.count("\n\n") + 1)}
    assert kept.read_tokens == prompt + sum(len(path[-1]) + 2 for path in steps)
    kept.reset()
    assert (kept.read_tokens, kept._beginnings.kept.tokens) == (0, 0)


def test_a_folder_with_a_head_takes_the_kept_path(tmp_path: Path, policy_folder: Path) -> None:
    shutil.copytree(policy_folder, tmp_path / "model")
    LikelihoodHead().save(tmp_path / "model")
    kept = load_verifier(str(tmp_path / "model"), threads=1, device="cpu")
    plain = load_plain(str(tmp_path / "model"), threads=1, device="cpu", rows=8)
    assert isinstance(kept, KeptLikelihoodVerifier)
    assert type(plain) is StepLikelihoodVerifier
    assert kept.info == plain.info
