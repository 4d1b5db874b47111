"""Other architectures and tokenizers through the same engine: learnt positions, sliding windows, byte-level pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from domain.moves import FinishReason
from domain.ports import SampleRequest
from inference.engines.factory import load_policy
from inference.engines.texts import Pieces, TextReader
from inference.engines.transformers_engine import TransformersEngine
from inference.prompts import sample_ids
from tests.support.tiny_models import character_tokenizer, tiny_config

VOCABULARY = tiny_config().vocab_size


def learnt_positions() -> PreTrainedModel:
    config = GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=2, n_head=4, n_positions=64, bos_token_id=1, eos_token_id=2
    )
    return GPT2LMHeadModel(config)


def sliding_window() -> PreTrainedModel:
    shape = {name: getattr(tiny_config(), name) for name in ("vocab_size", "hidden_size", "intermediate_size")}
    config = MistralConfig(
        **shape,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        sliding_window=8,
        eos_token_id=2,
        initializer_range=0.3,
    )
    return MistralForCausalLM(config)


def engine_of(model: PreTrainedModel, folder: Path) -> TransformersEngine:
    model.save_pretrained(folder)
    character_tokenizer().save_pretrained(folder)
    return load_policy(str(folder), threads=1, device="cpu", rows=4)


@pytest.mark.parametrize("make", [learnt_positions, sliding_window])
def test_greedy_in_a_mixed_batch_is_the_models_own(make: object, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = make().eval()
    engine = engine_of(model, tmp_path)
    tokenizer = character_tokenizer()
    prompts = {f"k{i}": "x" * i for i in range(1, 11)}
    for key, problem in prompts.items():
        engine.add(SampleRequest(key, problem, "", seed=1, max_tokens=10 + len(problem) * 4, temperature=0.0))
    results = {}
    while engine.pending:
        results |= {result.key: result for result in engine.step()}
    for key, problem in prompts.items():
        ids = torch.tensor([sample_ids(tokenizer, problem, "")])
        drawn = results[key].cost.generated_tokens
        expected = model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=drawn, pad_token_id=0
        )
        text = tokenizer.decode(expected[0, ids.shape[1] :], skip_special_tokens=True)
        assert results[key].text == text
        assert results[key].cost.prompt_tokens + drawn <= 64


def test_a_sliding_window_runs_in_waves_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of(sliding_window(), tmp_path)
    assert caplog.text.count("in waves") == 1
    for index in range(9):
        engine.add(SampleRequest(f"k{index}", "1+1", "", seed=index, max_tokens=5))
    finished = []
    while engine.pending:
        finished += [result.key for result in engine.step()]
    assert sorted(finished) == [f"k{index}" for index in range(9)]


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte: any character beyond ASCII is several tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_stop_strings_of_several_bytes_are_found() -> None:
    tokenizer = byte_tokenizer()
    ids = tokenizer("prix: 5 €. Fin", add_special_tokens=False)["input_ids"]
    reader = TextReader(Pieces(tokenizer), tuple(tokenizer("Q: ")["input_ids"]), ("€.", "never"))
    cuts = [reader.cut_at_stop(ids[:length]) for length in range(1, len(ids) + 1)]
    first = next(index for index, cut in enumerate(cuts) if cut is not None)
    assert cuts[first] == "prix: 5 "
    assert tokenizer.decode(ids[: first + 1]).endswith("€.")


def test_a_character_cut_in_its_bytes_is_not_text() -> None:
    from inference.engines.rows import new_row

    tokenizer = byte_tokenizer()
    ids = tokenizer("5 €", add_special_tokens=False)["input_ids"]
    row = new_row(Pieces(tokenizer), SampleRequest("k", "", "", 1, 3), (1,), 3)
    for token in ids[:3]:
        row.take(token, -0.5, frozenset())
    assert (row.finish, row.text, row.logprob) == (FinishReason.LENGTH, "5 ", -1.5)
