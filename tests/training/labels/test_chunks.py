"""Chunks on a real engine: what ran before leaves no trace in the numbers; failures that pass are tried again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from domain.errors import EngineError
from domain.ports import SampleRequest
from tests.support.tiny_models import character_tokenizer, tiny_config
from training.labels.calls import Chunk, Model, Rollout, run_chunk


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("policy")
    torch.manual_seed(0)
    LlamaForCausalLM(tiny_config()).save_pretrained(path)
    character_tokenizer().save_pretrained(path)
    return path


def chunk(name: str, first: int, count: int, max_tokens: int = 24) -> Chunk:
    texts = [f"problem {at}" * (1 + at % 5) for at in range(first, first + count)]
    requests = [SampleRequest(f"{at}", text, "", at, max_tokens) for at, text in enumerate(texts)]
    return Chunk(name, tuple(requests))


def test_a_chunk_gives_the_same_numbers_after_any_other(folder: Path) -> None:
    used = Model("policy", str(folder), rows=4).load()
    run_chunk(used, chunk("a", 0, 9, 60))
    fresh = Model("policy", str(folder), rows=4).load()
    ours, theirs = (run_chunk(core, chunk("b", 5, 11)).results for core in (used, fresh))
    assert ours == theirs
    assert all(isinstance(one, Rollout) and one.logprob < 0 and one.prompt_tokens > 0 for one in ours)


def test_texts_are_left_out_if_so_asked(folder: Path) -> None:
    core = Model("policy", str(folder), rows=4).load()
    kept = run_chunk(core, chunk("a", 0, 3)).results
    left = run_chunk(core, Chunk("a", chunk("a", 0, 3).requests, texts=False)).results
    assert any(one.text for one in kept)
    assert [(one.text, one.logprob, one.answer) for one in left] == [("", one.logprob, one.answer) for one in kept]


def test_failures_that_pass_are_tried_again_and_others_are_not() -> None:
    found = run_chunk(Model("policy", "scripted:fail=0.2").load(), chunk("a", 0, 50)).results
    assert [one.key for one in found] == [str(at) for at in range(50)]
    with pytest.raises(EngineError, match="injected"):
        run_chunk(Model("policy", "scripted:fail=1").load(), chunk("a", 0, 2))


def test_a_prompt_that_can_not_fit_is_an_error() -> None:
    with pytest.raises(EngineError, match="context"):
        run_chunk(Model("policy", "scripted:context=3").load(), chunk("a", 0, 2))
