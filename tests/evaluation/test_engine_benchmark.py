"""The engine benchmark counts what it says: every rollout of every contestant, on the same weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import GenerationConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from evaluation.engine import Work, engine_runner, measured, summary, table
from evaluation.transformers_peers import _drawn, generate_runners
from inference.engines.paths import VARIABLE
from tests.support.tiny_models import character_tokenizer, tiny_config

WORK = Work(("1+1", "What is 12 * (3 + 4)?"), rollouts=2, rounds=1, sizes=(3,))


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv(VARIABLE, "auto")
    torch.manual_seed(0)
    model = LlamaForCausalLM(tiny_config(max_position_embeddings=512))
    model.generation_config = GenerationConfig(eos_token_id=[2, *range(20, 60)], pad_token_id=0)
    model.save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    return str(tmp_path)


def test_both_paths_draw_the_same_number_of_tokens_in_a_round(policy: str) -> None:
    counts = {path: engine_runner(policy, path, WORK)(0) for path in ("fast", "plain")}
    assert counts["fast"] == counts["plain"] >= 4


def test_generate_counts_up_to_each_end(policy: str) -> None:
    assert _drawn([[5, 2, 0, 0], [5, 6, 7, 8], [2, 9]], {2}) == 2 + 4 + 1
    (run,) = generate_runners(policy, WORK).values()
    assert 4 <= run(0) < 4 * 256


def test_ratios_are_against_the_best_of_each_kind_and_absent_ones_are_null() -> None:
    rates = {
        "deliberate": [90.0, 110.0, 100.0],
        "deliberate, plain path": [50.0],
        "generate, batches of 64": [40.0],
        "generate, batches of 128": [25.0],
        "continuous batching, 32": [20.0],
    }
    result = summary(rates, {"llama.cpp": "not installed"})
    assert result["ratio_best_transformers"] == 2.5
    assert result["ratio_continuous_batching"] == 5.0
    assert result["ratio_plain_path"] == 2.0
    assert result["ratio_llama_cpp"] is None
    assert "not installed" in table(rates, result["absent"])


def test_a_peer_that_fails_is_named_and_the_others_go_on() -> None:
    def broken(_: int) -> int:
        raise RuntimeError("no room")

    rates, absent = measured({"fine": lambda _: 7, "broken": broken, "missing": "not installed"}, rounds=2)
    assert len(rates["fine"]) == 2
    assert absent == {"missing": "not installed", "broken": "RuntimeError: no room"}


def test_the_converted_model_has_every_weight(policy: str, tmp_path: Path) -> None:
    gguf = pytest.importorskip("gguf", reason="the extra `peers` is not installed")
    from evaluation.llama_cpp_peer import write_gguf

    for model in (LlamaForCausalLM.from_pretrained(policy), qwen()):
        write_gguf(model, tmp_path / "model.gguf", "f32")
        written = sum(int(tensor.n_elements) for tensor in gguf.GGUFReader(tmp_path / "model.gguf").tensors)
        assert written == sum(weight.numel() for weight in model.parameters())


def qwen() -> Qwen3ForCausalLM:
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    settings = {name: getattr(tiny_config(), name) for name in shape}
    config = Qwen3Config(
        **settings, num_key_value_heads=2, head_dim=16, initializer_range=0.2, tie_word_embeddings=True
    )
    return Qwen3ForCausalLM(config).eval()


def test_a_converted_model_with_normalised_heads_computes_the_same(tmp_path: Path) -> None:
    pytest.importorskip("llama_cpp", reason="the extra `peers` is not installed")
    from evaluation.llama_cpp_peer import LlamaCpp, converted

    model, ids = qwen(), [5, 9, 33, 11, 20]
    for layer in model.model.layers:
        torch.nn.init.uniform_(layer.self_attn.q_norm.weight, 0.5, 2.0)
    words = model.config.vocab_size
    with torch.no_grad():
        expected = model(torch.tensor([ids])).logits[0, -1]
    found = LlamaCpp(converted(model, "f32"), 1, 64, frozenset(), words, shared=True).logits(ids)
    assert torch.allclose(found, expected, atol=0.02)  # its cache is in f16
