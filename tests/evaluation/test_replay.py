"""Replay: counts by hand on small records, the recorded data's known numbers, and stop lengths found twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigurationError, InvalidRequest
from domain.recipe import parse_strategy
from domain.specs.adaptive import Adaptive
from domain.specs.adaptive_voting import AdaptiveVoting
from domain.specs.parallel import BestOfN, SelfConsistency
from evaluation.beta_reference import integrated_stop, package_stop, stop_length
from evaluation.counterfactual import Played, Policy, Replayer, summary, whole_solutions
from evaluation.recorded.place import GAME24, GAME24_TREES, LLAMA_8B, SHARED, data_file
from evaluation.recorded.readers import read_source
from evaluation.replay import tree_of_thoughts
from inference.answers.equivalence import SymbolicEquivalence
from inference.answers.grade import Grader
from inference.engines.recorded import deck_of
from inference.engines.recording import Recording, parse_recording


def record(answers: list[Any], name: str = "p", **fields: Any) -> Recording:
    samples = [{"answer": answer, "completion_tokens": 10} for answer in answers]
    return parse_recording({"id": name, "question": f"{name}?", "gold": "1", "samples": samples} | fields, "here")


@pytest.fixture
async def replayer() -> AsyncIterator[Replayer]:
    equivalence = SymbolicEquivalence()
    yield Replayer(Grader(equivalence), equivalence)
    await equivalence.close()


async def test_means_are_counted_by_hand(replayer: Replayer) -> None:
    recordings = [record([1] * 8, "easy"), record([2] * 8, "wrong"), record([1, 2, 3, 4, 5, 6, 7, 8], "open")]
    policy = Policy(AdaptiveVoting(n=8, rule="beta"))
    played = await replayer.play(recordings, policy, [0, 1])
    assert [one.samples for one in played] == [4, 4, 8, 4, 4, 8]
    assert [one.correct for one in played][:2] == [True, False]
    found = summary(played, recordings)
    assert found["mean_samples"] == pytest.approx(16 / 3)
    assert found["mean_tokens"] == pytest.approx(160 / 3)
    assert (found["n"], found["searches"], found["exhausted"]) == (3, 6, 0)
    assert await replayer.single_sample_accuracy(recordings) == pytest.approx((1 + 0 + 1 / 8) / 3)


async def test_the_same_seeds_give_the_same_searches_and_others_give_others(replayer: Replayer) -> None:
    recordings = [record([1, 2, 1, 3, 1, 2, None, 1, 2, 1], str(at)) for at in range(5)]
    policy = Policy(AdaptiveVoting(n=10))
    first, again = [await replayer.play(recordings, policy, [0, 1, 2]) for _ in range(2)]
    assert first == again
    assert len({tuple(one.order) for one in first}) > 5


async def test_asking_beyond_the_record_is_said_and_repeats_nothing(replayer: Replayer) -> None:
    (one,) = await replayer.play([record([1, 2, 3])], Policy(SelfConsistency(n=8)), [0])
    assert (one.samples, one.exhausted, one.tokens) == (3, True, 30)
    assert sorted(key or "" for key in one.order) == ["q:1", "q:2", "q:3"]


async def test_a_confidence_ends_a_search_early_and_the_cost_is_what_was_sampled(replayer: Replayer) -> None:
    (one,) = await replayer.play([record([1] * 40)], Policy(SelfConsistency(n=40), confidence=0.8), [0])
    assert one.reason == "confidence"
    assert 4 <= one.samples <= 16
    assert one.tokens == 10 * one.samples


async def test_a_recorded_verdict_goes_before_the_grader(replayer: Replayer) -> None:
    samples = [{"answer": "7", "correct": True}] * 3
    (one,) = await replayer.play([record([], samples=samples)], Policy(SelfConsistency(n=3)), [0])
    assert one.correct is True
    assert summary([one], [record([], samples=samples)])["mean_tokens"] is None


async def test_without_a_gold_answer_nothing_is_graded(replayer: Replayer) -> None:
    recordings = [record([1, 1, 1], gold=None)]
    played = await replayer.play(recordings, Policy(SelfConsistency(n=3)), [0])
    assert summary(played, recordings)["accuracy"] is None
    assert await replayer.single_sample_accuracy(recordings) is None


async def test_best_of_n_reads_recorded_scores(replayer: Replayer) -> None:
    samples = [{"answer": answer, "prm_step_scores": [0.5, score]} for answer, score in [(2, 0.3), (2, 0.4), (1, 0.9)]]
    policy = Policy(BestOfN(n=3, selection="best"))
    (one,) = await replayer.play([record([], samples=samples)], policy, [0])
    assert (one.verdict.answer, one.correct) == ("1", True)
    with pytest.raises(InvalidRequest, match="no prm_step_scores"):
        await replayer.play([record([1, 1, 1])], policy, [0])


async def test_adaptive_search_votes_where_nothing_is_scored(replayer: Replayer) -> None:
    """As a stack without a verifier would run it; best-of-n has nothing to go by there and is refused."""
    recordings = [record([at % 3 for at in range(24)])]
    (played,) = await replayer.play(recordings, Policy(Adaptive(n=12)), [0])
    assert played.verdict.answer is not None
    assert (played.samples, played.verified_tokens) == (12, 0)
    with pytest.raises(InvalidRequest, match=r"best_of_n needs a verifier, .* or adaptive"):
        await replayer.play(recordings, Policy(BestOfN(n=4)), [0])


async def test_a_strategy_that_expands_steps_is_refused_by_name(replayer: Replayer) -> None:
    samples = [{"text": "a\n\nb", "answer": 1, "prm_step_scores": [0.5, 0.5]}] * 4
    with pytest.raises(InvalidRequest, match="beam needs step expansions"):
        await replayer.play([record([], samples=samples)], Policy(parse_strategy({"name": "beam", "n": 4})), [0])


def test_the_token_limit_cuts_no_recorded_solution() -> None:
    assert whole_solutions(SelfConsistency(), [record([1, 2])]).max_tokens == 10
    assert whole_solutions(SelfConsistency(), [record([], samples=[{"answer": 1}])]).max_tokens == 131_072


def test_lines_of_one_problem_are_one_record_and_files_are_several(tmp_path: Path) -> None:
    row = {"id": 1, "question": "?", "samples": [{"answer": "1"}]}
    for name in ("a", "b"):
        lines = [row, row | {"id": name}, row]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = [(one.id, len(one.samples)) for one in read_source(tmp_path)]
    assert found == [("1", 2), ("a", 1), ("1", 2), ("b", 1)]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match=r"holds no \.jsonl file"):
        read_source(tmp_path / "empty")


def test_two_golds_of_one_problem_are_refused(tmp_path: Path) -> None:
    rows = [{"id": 1, "gold": gold, "samples": [{"answer": "1"}]} for gold in ("1", "2")]
    path = tmp_path / "record.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(ConfigurationError, match="jsonl:2: problem '1' has another gold answer than before"):
        read_source(path)


# ------------------------------------------------------------------------------------------- the recorded data


def shared(name: str) -> Path:
    if not (SHARED / name).is_file():
        pytest.skip("the shared data folder is not beside this checkout")
    return data_file(name)


def test_missing_data_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not there: name the folder"):
        data_file(LLAMA_8B, tmp_path)


async def test_game_of_24(replayer: Replayer) -> None:
    recordings = read_source(shared(GAME24))
    assert await replayer.single_sample_accuracy(recordings) == pytest.approx(0.0403)
    assert sum(any(sample.correct for sample in one.samples) for one in recordings) == 49
    assert tree_of_thoughts(shared(GAME24_TREES)) == 0.69
    # All right formulas have the value 24, so that it is formulas that vote.
    assert len({sample.answer.key for sample in recordings[0].samples if sample.answer}) > 10


@pytest.mark.parametrize(
    ("folder", "problems", "single"),
    [
        ("recorded/math500_llama/llama3.1-8b-awq_100x44.jsonl", 100, 0.4402),
        ("recorded/math100_qwen2.5_rm72b/math100_8samples_rm72b.jsonl", 100, 0.91),
        ("recorded/math500_qwen1.5b_shepherd/best_of_n.jsonl", 500, 0.495),
    ],
)
async def test_other_records_are_read_right(folder: str, problems: int, single: float, replayer: Replayer) -> None:
    recordings = read_source(shared(folder))
    assert len(recordings) == problems
    assert await replayer.single_sample_accuracy(recordings) == pytest.approx(single, abs=1e-4)


class Exactly:
    """Compares by keys alone: the stop rule is what is tested here, and not the comparison."""

    async def equivalent(self, key: str, others: Any) -> tuple[str, ...]:
        return ()


@pytest.fixture(scope="module")
def llama() -> list[Recording]:
    return read_source(shared(LLAMA_8B))


async def beta_stops(recordings: list[Recording]) -> list[Played]:
    replayer = Replayer(Grader(), Exactly())
    spec = whole_solutions(AdaptiveVoting(n=40, rule="beta"), recordings)
    return [await replayer.play_one(recording, Policy(spec), seed=5) for recording in recordings]


@pytest.mark.parametrize("reference", ["numerical integration", "package"])
async def test_the_beta_rule_stops_where_independent_implementations_stop(
    reference: str, llama: list[Recording]
) -> None:
    stop = package_stop() if reference == "package" else integrated_stop
    if stop is None:
        pytest.skip("AdaptiveConsistency is not installed: it is in the extra `peers`")
    for recording, one in zip(llama, await beta_stops(llama), strict=True):
        dealt = [
            sample.answer and sample.answer.key for sample in deck_of(recording.samples, 5, recording.question).samples
        ]
        assert one.samples == stop_length(dealt, lambda left, right: left == right, stop, 40)
        assert list(one.order) == dealt[: one.samples]
