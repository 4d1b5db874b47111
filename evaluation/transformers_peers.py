"""transformers' own ways to sample, for `evaluation.engine`: `generate` in fixed batches, and continuous batching."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from inference.checks import Head
from inference.loading import Loaded, load
from inference.prompts import sample_ids

if TYPE_CHECKING:
    from evaluation.engine import Runner, Work

CONTINUOUS_SIZES = (32, 64)
MAX_TOKENS = 256


def _prompts(loaded: Loaded, work: Work) -> list[list[int]]:
    return [sample_ids(loaded.tokenizer, problem, "") for problem in work.problems for _ in range(work.rollouts)]


def _drawn(rows: list[list[int]], ends: set[int]) -> int:
    """Tokens up to each row's first end, which counts."""
    return sum(next((at + 1 for at, token in enumerate(row) if token in ends), len(row)) for row in rows)


def _ends(loaded: Loaded) -> set[int]:
    ids = loaded.model.generation_config.eos_token_id
    return {ids} if isinstance(ids, int) else set(ids)


def generate_runners(policy: str, work: Work) -> dict[str, Runner | str]:
    loaded = load(policy, Head.CAUSAL_LM, threads=1, device="cpu")
    prompts = sorted(_prompts(loaded, work), key=len)  # alike in length: least padding
    return {f"generate, batches of {size}": _generate(loaded, prompts, size) for size in work.sizes}


def _generate(loaded: Loaded, prompts: list[list[int]], size: int) -> Runner:
    pad, ends = loaded.pad_id, _ends(loaded)

    @torch.inference_mode()
    def run(round_number: int) -> int:
        torch.manual_seed(round_number)
        tokens = 0
        for start in range(0, len(prompts), size):
            batch = prompts[start : start + size]
            width = max(map(len, batch))
            ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in batch])
            mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in batch])
            options: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
            output = loaded.model.generate(
                ids, attention_mask=mask, max_new_tokens=MAX_TOKENS, pad_token_id=pad, **options
            )
            tokens += _drawn(output[:, width:].tolist(), ends)
        return tokens

    return run


def continuous_runners(policy: str, work: Work) -> dict[str, Runner | str]:
    loaded = load(policy, Head.CAUSAL_LM, threads=1, device="cpu")
    prompts = _prompts(loaded, work)
    return {
        f"continuous batching, {size}": _continuous(loaded, prompts, size)
        for size in CONTINUOUS_SIZES[: len(work.sizes) - 1]
    }


def _continuous(loaded: Loaded, prompts: list[list[int]], size: int) -> Runner:
    import transformers
    from transformers.generation.configuration_utils import ContinuousBatchingConfig

    ends = _ends(loaded)
    make_config: Any = transformers.GenerationConfig

    def run(round_number: int) -> int:
        torch.manual_seed(round_number)
        sampling = make_config(
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=MAX_TOKENS,
            eos_token_id=sorted(ends),
            pad_token_id=loaded.pad_id,
        )
        batching = ContinuousBatchingConfig(max_requests_per_batch=size, max_batch_tokens=4 * size, num_blocks=4 * size)
        outputs = loaded.model.generate_batch(
            prompts, generation_config=sampling, continuous_batching_config=batching, warmup=False
        )
        if len(outputs) != len(prompts):
            raise RuntimeError(f"{len(outputs)} of {len(prompts)} rollouts came back")
        return _drawn([list(output.generated_tokens) for output in outputs.values()], ends)

    return run
