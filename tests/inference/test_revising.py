"""A call with attempts is the reviser's, any other the policy's; each comes back once, at its own core's price."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, LlamaForCausalLM

from domain.errors import ConfigurationError, EngineError
from domain.ports import Completion, SampleRequest
from inference.checks import REVISER
from inference.engines.base import CallFailure, Engine
from inference.engines.factory import load_policy
from inference.engines.revising import RevisingEngine
from tests.support.tiny_models import character_tokenizer, tiny_config

ATTEMPTS = ("1 + 1 = 3.",)


def request(key: str, attempts: tuple[str, ...] = ()) -> SampleRequest:
    return SampleRequest(key, "What is 1 + 1?", "", seed=7, max_tokens=12, attempts=attempts)


def run(engine: Engine, *requests: SampleRequest) -> dict[str, Completion | CallFailure]:
    for item in requests:
        engine.add(item)
    found = [result for _ in iter(lambda: engine.pending, 0) for result in engine.step()]
    assert len({result.key for result in found}) == len(found)
    return {result.key: result for result in found}


def scripted() -> RevisingEngine:
    policy, reviser = (load_policy(f"scripted:{options}", threads=1) for options in ("parameters=10", "parameters=30"))
    return RevisingEngine(policy, reviser)


@pytest.fixture(scope="module")
def folder(policy_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy with a reviser of another size in it."""
    folder = Path(shutil.copytree(policy_folder, tmp_path_factory.mktemp("both") / "policy"))
    torch.manual_seed(5)
    model = LlamaForCausalLM(tiny_config(hidden_size=48))
    model.generation_config = GenerationConfig(eos_token_id=[2], pad_token_id=0)
    model.save_pretrained(folder / REVISER)
    character_tokenizer().save_pretrained(folder / REVISER)
    return folder


def test_attempts_decide_who_works_and_what_it_costs(folder: Path, policy_folder: Path) -> None:
    both = load_policy(str(folder), threads=1, device="cpu")
    policy = load_policy(str(policy_folder), threads=1, device="cpu")
    reviser = load_policy(str(folder / REVISER), threads=1, device="cpu")
    asked = [request("fresh"), request("revision", ATTEMPTS)]
    assert run(both, *asked) == run(policy, asked[0]) | run(reviser, asked[1])
    assert reviser.info.parameters > policy.info.parameters
    assert both.info.parameters == reviser.info.parameters
    assert both.info.context_tokens == policy.info.context_tokens


def test_its_id_follows_the_weights_of_both(folder: Path, tmp_path: Path) -> None:
    """Call keys must change with either; the checksum of a policy without a reviser is the beginning of that with."""
    copy = Path(shutil.copytree(folder, tmp_path / "policy"))
    first = load_policy(str(copy), threads=1, device="cpu").info.id
    shutil.copyfile(copy / "model.safetensors", copy / REVISER / "model.safetensors")
    shutil.copyfile(copy / "config.json", copy / REVISER / "config.json")
    second = load_policy(str(copy), threads=1, device="cpu").info.id
    shutil.rmtree(copy / REVISER)
    alone = load_policy(str(copy), threads=1, device="cpu").info.id
    assert first != second
    assert first.startswith(f"{alone}+")
    assert second.startswith(f"{alone}+")


def test_a_damaged_reviser_is_refused_before_anything_is_loaded(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "policy"))
    (copy / REVISER / "tokenizer.json").unlink()
    with pytest.raises(ConfigurationError, match=f"{REVISER} has no tokenizer"):
        load_policy(str(copy), threads=1, device="cpu")


def test_aborting_reaches_the_core_that_works(folder: Path) -> None:
    engine = load_policy(str(folder), threads=1, device="cpu")
    engine.add(request("fresh"))
    engine.add(request("revision", ATTEMPTS))
    engine.abort(["revision", "nobody's"])
    found = run(engine)
    assert isinstance(found["revision"], CallFailure)
    assert isinstance(found["fresh"], Completion)


def test_a_key_is_taken_once_and_free_again_when_its_call_ended() -> None:
    engine = scripted()
    engine.add(request("one"))
    with pytest.raises(EngineError, match="already running"):
        engine.add(request("one", ATTEMPTS))
    assert engine.pending == 1
    assert set(run(engine)) == {"one"}
    assert set(run(engine, request("one", ATTEMPTS))) == {"one"}


def test_reset_forgets_the_calls_of_both() -> None:
    engine = scripted()
    engine.add(request("one"))
    engine.add(request("two", ATTEMPTS))
    assert engine.pending == 2
    engine.reset()
    assert engine.pending == 0
    assert set(run(engine, request("two"))) == {"two"}


def test_it_waits_no_longer_than_the_first_of_both() -> None:
    slow, quick = load_policy("scripted:delay_ms=40", threads=1), load_policy("scripted:", threads=1)
    engine = RevisingEngine(slow, quick)
    engine.add(request("slow"))
    assert 0 < engine.due_s <= 0.04
    engine.add(request("quick", ATTEMPTS))
    assert engine.due_s == 0
    assert {result.key for result in engine.step()} == {"quick"}
    assert set(run(engine)) == {"slow"}
