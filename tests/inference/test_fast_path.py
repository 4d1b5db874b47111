"""The fast path gives the plain path's numbers on all that it covers, and says what it does not cover."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM, PreTrainedModel, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM

from domain.errors import ConfigurationError
from domain.ports import Completion, SampleRequest
from inference.checks import Head
from inference.engines.admission import Limits
from inference.engines.base import Engine
from inference.engines.factory import load_policy
from inference.engines.fast import native
from inference.engines.fast.engine import FastEngine
from inference.engines.fast.kernels import CompiledKernels, Kernels, Step, TorchKernels, kernels_for
from inference.engines.fast.pure import PureModel
from inference.engines.fast.slots import Slots
from inference.engines.fast.weights import fused, why_not
from inference.engines.paths import VARIABLE
from inference.engines.transformers_engine import TransformersEngine
from inference.loading import load
from tests.support.tiny_models import character_tokenizer, tiny_config

PROBLEMS = ["1+1", "What is 12 * (3 + 4)?", "Sum 1 to 10."]


@pytest.fixture(params=["auto", "off"], autouse=True)
def compiling(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With compiled kernels (where there is a compiler) and without."""
    monkeypatch.setenv(native.VARIABLE, request.param)
    return request.param


def llama() -> PreTrainedModel:
    return LlamaForCausalLM(tiny_config())


def llama_with_stretched_positions() -> PreTrainedModel:
    rope = {
        "rope_type": "llama3",
        "rope_theta": 10_000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
    }
    return LlamaForCausalLM(tiny_config(rope_parameters=rope, num_key_value_heads=4, head_dim=16))


def qwen_with_biases_and_tied_embeddings() -> PreTrainedModel:
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    settings = {name: getattr(tiny_config(), name) for name in (*shape, "max_position_embeddings", "eos_token_id")}
    config = Qwen2Config(**settings, num_key_value_heads=2, initializer_range=0.3, tie_word_embeddings=True)
    model = Qwen2ForCausalLM(config)
    for layer in model.model.layers:
        torch.nn.init.normal_(layer.self_attn.q_proj.bias)
        torch.nn.init.normal_(layer.self_attn.k_proj.bias)
        torch.nn.init.normal_(layer.self_attn.v_proj.bias)
    return model


def qwen_with_normalised_heads() -> PreTrainedModel:
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    settings = {name: getattr(tiny_config(), name) for name in (*shape, "max_position_embeddings", "eos_token_id")}
    model = Qwen3ForCausalLM(Qwen3Config(**settings, num_key_value_heads=2, head_dim=16, initializer_range=0.3))
    for layer in model.model.layers:
        torch.nn.init.uniform_(layer.self_attn.q_norm.weight, 0.5, 2.0)
        torch.nn.init.uniform_(layer.self_attn.k_norm.weight, 0.5, 2.0)
    return model


COVERED = [llama, llama_with_stretched_positions, qwen_with_biases_and_tied_embeddings, qwen_with_normalised_heads]


@pytest.fixture(params=COVERED)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    torch.manual_seed(3)
    request.param().save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def sampled(engine: Engine, requests: Sequence[SampleRequest]) -> dict[str, Completion]:
    for request in requests:
        engine.add(request)
    results: dict[str, Completion] = {}
    while engine.pending:
        results |= {result.key: result for result in engine.step()}
    return results


def requests() -> list[SampleRequest]:
    heats = (0.0, 1.0, 0.8)
    return [
        SampleRequest(
            f"r{index}",
            PROBLEMS[index % 3],
            "A step.\n\n" if index % 4 == 0 else "",
            seed=index,
            max_tokens=4 + 5 * index % 60,
            stop=("q",) if index % 5 == 0 else (),
            temperature=heats[index // 3 % 3],
            top_p=0.9 if index % 7 == 0 else 1.0,
        )
        for index in range(36)
    ]


def test_both_paths_give_the_same_texts_costs_and_probabilities(folder: Path) -> None:
    loaded = load(str(folder), Head.CAUSAL_LM, threads=1, device="cpu")
    loaded = replace(loaded, tokenizer=character_tokenizer())  # the loader puts Qwen's own splitting into Qwen's one
    assert why_not(loaded.model) is None
    plain = sampled(TransformersEngine(loaded, "tiny", Limits(rows=7)), requests())
    fast = sampled(FastEngine(loaded, "tiny", Limits(rows=7)), requests())
    assert len(fast) == 36
    for key, expected in plain.items():
        got = fast[key]
        assert (got.text, got.finish, got.answer, got.cost) == (
            expected.text,
            expected.finish,
            expected.answer,
            expected.cost,
        )
        assert got.logprob == pytest.approx(expected.logprob, abs=1e-4 * got.cost.generated_tokens)


def test_a_step_gives_the_models_own_logits(folder: Path) -> None:
    loaded = load(str(folder), Head.CAUSAL_LM, threads=1, device="cpu")
    ids = torch.randint(3, 100, (3, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = loaded.model(ids).logits
        pure = PureModel(fused(loaded.model))
        slots = Slots(pure.weights, 10_000)
        slots.reserve(4, 40)
        for at in range(40):
            lengths = torch.full((3,), at)
            logits = pure.step(ids[:, at], lengths, at + 1, slots.keys, slots.values)
            assert torch.allclose(logits, expected[:, at], atol=1e-4)
        states = pure.read(ids[:, 15:], torch.full((3,), 15), 40, slots.keys, slots.values)
        assert torch.allclose(pure.head(states.flatten(0, 1)).view(3, 25, -1), expected[:, 15:], atol=1e-4)


def test_a_prompt_is_read_once_for_all_rollouts_and_admissions(policy_folder: Path) -> None:
    engine = load_policy(str(policy_folder), threads=1, device="cpu", rows=4)
    assert isinstance(engine, FastEngine)
    calls = [SampleRequest(f"r{index}", PROBLEMS[index % 2], "", index, 6) for index in range(30)]
    prompts = {result.cost.prompt_tokens for result in sampled(engine, calls).values()}
    assert len(prompts) == 2
    assert engine._prompts.beginnings.read_tokens == sum(prompts)


def test_kept_prompts_are_bounded(policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    engine = FastEngine(loaded, "tiny", kept_tokens=60)
    kept = engine._prompts.beginnings.kept
    for index in range(20):
        sampled(engine, [SampleRequest("k", "x" * (10 + index % 5), "", 1, 2)])
        assert kept.tokens <= 60
    assert sum(segment.tokens for segment in kept._kept.values()) == kept.tokens > 0


def test_slots_keep_what_is_there_and_stay_within_the_bound(policy_folder: Path) -> None:
    loaded = load(str(policy_folder), Head.CAUSAL_LM, threads=1, device="cpu")
    slots = Slots(fused(loaded.model), max_tokens=512)
    slots.reserve(2, 20)
    assert (slots.rows, slots.columns) == (2, 32)
    slots.keys[:, 1, :, :20] = 7.0
    slots.reserve(4, 33)
    assert (slots.rows, slots.columns) == (4, 64)
    assert slots.keys[:, 1, :, :20].unique().tolist() == [7.0]
    slots.move(1, 3, 20)
    assert slots.keys[:, 3, :, :20].unique().tolist() == [7.0]
    slots.reserve(16, 30)
    assert (slots.rows, slots.columns) == (16, 32)
    slots.reserve(1, 500)
    assert (slots.rows, slots.columns) == (1, 512)


def gelu() -> PreTrainedModel:
    return LlamaForCausalLM(tiny_config(hidden_act="gelu"))


def more_biases() -> PreTrainedModel:
    return LlamaForCausalLM(tiny_config(mlp_bias=True))


def growing_rope() -> PreTrainedModel:
    rope = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 2.0}
    return LlamaForCausalLM(tiny_config(rope_parameters=rope))


def qwen_with_windows() -> PreTrainedModel:
    shape = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    settings = {name: getattr(tiny_config(), name) for name in (*shape, "eos_token_id")}
    return Qwen2ForCausalLM(
        Qwen2Config(**settings, num_key_value_heads=2, use_sliding_window=True, sliding_window=8, max_window_layers=1)
    )


@pytest.mark.parametrize(
    ("make", "reason"),
    [(gelu, "gelu"), (more_biases, "biases"), (growing_rope, "dynamic"), (qwen_with_windows, "sliding windows")],
)
def test_what_is_not_covered_takes_the_plain_path_and_is_said_once(
    make: Callable[[], PreTrainedModel],
    reason: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make().save_pretrained(tmp_path)
    character_tokenizer().save_pretrained(tmp_path)
    engine = load_policy(str(tmp_path), threads=1, device="cpu")
    assert isinstance(engine, TransformersEngine)
    assert len(sampled(engine, requests()[:3])) == 3
    assert caplog.text.count("the fast path does not cover") == 1
    assert reason in caplog.text
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(ConfigurationError, match=reason):
        load_policy(str(tmp_path), threads=1, device="cpu")


def test_the_switch(policy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for choice, kind in (("plain", TransformersEngine), ("fast", FastEngine), ("auto", FastEngine), ("", FastEngine)):
        monkeypatch.setenv(VARIABLE, choice)
        assert type(load_policy(str(policy_folder), threads=1, device="cpu")) is kind
    monkeypatch.setenv(VARIABLE, "quick")
    with pytest.raises(ConfigurationError, match="auto, fast, plain"):
        load_policy(str(policy_folder), threads=1, device="cpu")


needs_a_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")


def kernels(folder: Path) -> tuple[TorchKernels, Kernels]:
    weights = fused(load(str(folder), Head.CAUSAL_LM, threads=1, device="cpu").model)
    return TorchKernels(weights), kernels_for(weights)


@needs_a_compiler
@torch.inference_mode()
def test_compiled_kernels_give_torchs_numbers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "auto")
    slow, quick = kernels(folder)
    assert isinstance(quick, CompiledKernels)
    weights, rows = slow._weights, 5
    x = torch.randn(rows, 40) * torch.tensor([0.01, 1.0, 30.0, 100.0, 1e4])[:, None]
    assert torch.allclose(quick.gated(x), slow.gated(x), rtol=1e-5, atol=1e-6)
    assert torch.allclose(quick.norm(x, x[1]), slow.norm(x, x[1]), rtol=1e-5, atol=1e-6)
    size, heads = weights.head_size, weights.key_heads
    angles = torch.randn(64, size // 2)
    step = Step(torch.tensor([0, 31, 7, 16, 39]), 40, torch.stack([angles.cos(), angles.sin()], -1).flatten(1), 64)
    qkv = torch.randn(rows, (weights.query_heads + 2 * heads) * size) * 3
    buffers = torch.randn(2, 8, heads, 64, size)
    outcomes = []
    for one in (slow, quick):
        key, value = buffers.clone()
        outcomes.append((one.attend(qkv.clone(), step, key, value), key, value))
    for expected, got in zip(*outcomes, strict=True):
        assert torch.allclose(got, expected, rtol=1e-4, atol=1e-5)


@needs_a_compiler
def test_numbers_that_are_none_stay_none(policy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "auto")
    for one in kernels(policy_folder):
        x = torch.tensor([[torch.nan, 1.0, 2.0, torch.inf]])
        assert one.gated(x).isnan().tolist() == [[True, False]]
        assert one.norm(x[:, :2].contiguous(), torch.ones(2)).isnan().all()


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 1\n"])
def test_without_a_working_compiler_it_goes_on_in_torch(
    script: str | None,
    compiling: str,
    policy_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if script is not None:
        (tmp_path / "cc").write_text(script)
        (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    caplog.set_level("INFO")
    assert type(kernels(policy_folder)[1]) is TorchKernels
    assert len(caplog.messages) == (compiling == "auto")


def test_the_compile_switch_is_checked(policy_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "always")
    with pytest.raises(ConfigurationError, match="auto, off"):
        kernels(policy_folder)
