"""The untrained baseline: the log-probability of a solution, overheard while a real verifier folder scores it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from evaluation.quality.drive import scored
from evaluation.quality.surprise import listen
from inference.prompts import prompt_ids, text_ids
from inference.verifiers.factory import load_verifier
from inference.verifiers.step_likelihood import LikelihoodHead
from tests.support.tiny_models import character_tokenizer, tiny_config

PAIRS = [("1+1", "It is 2."), ("2+2", "Two and two.\n\nIt is 4."), ("1+1", "Three.")]


def test_it_is_the_sum_over_the_steps_tokens_and_costs_no_second_pass(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, tokenizer = LlamaForCausalLM(tiny_config()).eval(), character_tokenizer()
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    LikelihoodHead().save(tmp_path)
    verifier = load_verifier(str(tmp_path), threads=1, device="cpu")
    heard = listen(verifier)
    assert heard == {}
    scores = scored(verifier, [*PAIRS, PAIRS[0]], "test")
    assert heard is not None
    assert set(heard) == set(scores) == set(PAIRS)
    assert [len(scores[pair]) for pair in PAIRS] == [1, 2, 1]
    for problem, text in (PAIRS[0], PAIRS[2]):
        prompt, ids = prompt_ids(tokenizer, problem), text_ids(tokenizer, text)
        with torch.no_grad():
            logprobs = model(torch.tensor([prompt + ids])).logits[0].log_softmax(-1)
        exact = sum(float(logprobs[len(prompt) - 1 + at, token]) for at, token in enumerate(ids))
        assert heard[problem, text] == pytest.approx(exact, rel=1e-3)


def test_a_verifier_without_a_language_model_tells_nothing() -> None:
    assert listen(load_verifier("scripted", threads=1)) is None
