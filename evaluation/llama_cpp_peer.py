"""llama.cpp on the same weights, for `evaluation.engine`: continuous batching over its own C interface.

The model is written as GGUF without a vocabulary (token ids go in and come out, as for the other contestants). Slots
are refilled as rollouts end; sampling is vectorised in torch.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from inference.checks import Head
from inference.loading import eos_ids, load
from inference.prompts import sample_ids

if TYPE_CHECKING:
    from evaluation.engine import Runner, Work

ARCHITECTURES = {"LlamaForCausalLM": "llama", "Qwen3ForCausalLM": "qwen3"}
"""llama.cpp's names; it rotates neighbours in the first, and halves, as transformers does, in the second."""
MAX_TOKENS = 256
ARRANGEMENTS = (("f16", 8, True), ("f16", 16, False), ("f16", 64, False), ("f32", 8, True))
"""Precision of the matrices, slots, and whether all slots share one cache: what was fastest in a wider search."""


def llama_cpp_runners(policy: str, work: Work) -> dict[str, Runner | str]:
    try:
        import gguf  # noqa: F401
        import llama_cpp  # noqa: F401
    except ImportError as error:
        return {"llama.cpp": f"{error.name} is not installed: pip install 'deliberate[peers]'"}
    loaded = load(policy, Head.CAUSAL_LM, threads=1, device="cpu")
    if type(loaded.model).__name__ not in ARCHITECTURES:
        return {"llama.cpp": f"no conversion of {type(loaded.model).__name__}"}
    prompts = [sample_ids(loaded.tokenizer, problem, "") for problem in work.problems for _ in range(work.rollouts)]
    ends = eos_ids(loaded, policy)
    context = max(map(len, prompts)) + MAX_TOKENS
    chosen = ARRANGEMENTS[:2] if len(work.sizes) < 3 else ARRANGEMENTS
    models = {precision: converted(loaded.model, precision) for precision in {one[0] for one in chosen}}
    runners: dict[str, Runner | str] = {}
    for precision, slots, shared in chosen:
        peer = LlamaCpp(models[precision], slots, context, ends, loaded.model.config.vocab_size, shared=shared)
        name = f"llama.cpp, {precision}, {slots} slots{', one cache' if shared else ''}"
        runners[name] = partial(peer.run, prompts)
    return runners


class LlamaCpp:
    def __init__(
        self, model: Any, slots: int, context: int, ends: frozenset[int], vocabulary: int, *, shared: bool
    ) -> None:
        import llama_cpp

        self._api: Any = llama_cpp
        self._slots, self._ends, self._vocabulary = slots, ends, vocabulary
        self._room = max(2048, 2 * slots)
        params = self._api.llama_context_default_params()
        params.n_ctx = slots * (-(-context // 256) * 256)
        params.n_batch = params.n_ubatch = self._room
        params.n_seq_max = slots
        params.n_threads = params.n_threads_batch = 1
        params.kv_unified = shared
        self._context = self._api.llama_init_from_model(model, params)
        if not self._context:
            raise RuntimeError("llama.cpp gave no context")
        self._batch = self._api.llama_batch_init(self._room, 0, 1)

    def run(self, prompts: Sequence[list[int]], seed: int) -> int:
        """Number of tokens drawn."""
        torch.manual_seed(seed)
        memory = self._api.llama_get_memory(self._context)
        waiting, free = deque(prompts), list(range(self._slots))
        running: dict[int, tuple[int, int, int]] = {}  # slot: last token, its position, tokens drawn
        drawn = 0
        while waiting or running:
            self._batch.n_tokens = 0
            outputs = list(running)
            for slot, (token, position, _) in running.items():
                self._put([token], position, slot)
            while waiting and free and self._batch.n_tokens + len(waiting[0]) <= self._room:
                slot, prompt = free.pop(), waiting.popleft()
                self._api.llama_memory_seq_rm(memory, slot, -1, -1)
                self._put(prompt, 0, slot)
                running[slot] = (0, len(prompt) - 1, 0)
                outputs.append(slot)
            for slot, token in zip(outputs, self._draw(len(outputs)), strict=True):
                _, position, count = running[slot]
                running[slot] = (token, position + 1, count + 1)
                drawn += 1
                if token in self._ends or count + 1 >= MAX_TOKENS:
                    del running[slot]
                    free.append(slot)
        return drawn

    def logits(self, ids: list[int]) -> torch.Tensor:
        """[V] after one prompt, in an empty slot."""
        self._batch.n_tokens = 0
        self._put(ids, 0, 0)
        return self._logits(1)[0].clone()

    def _put(self, tokens: list[int], position: int, slot: int) -> None:
        batch = self._batch
        for offset, token in enumerate(tokens):
            at = batch.n_tokens
            batch.token[at], batch.pos[at] = token, position + offset
            batch.n_seq_id[at], batch.seq_id[at][0] = 1, slot
            batch.logits[at] = offset == len(tokens) - 1
            batch.n_tokens = at + 1

    def _draw(self, rows: int) -> list[int]:
        tokens: list[int] = torch.multinomial(self._logits(rows).softmax(-1), 1)[:, 0].tolist()
        return tokens

    def _logits(self, rows: int) -> torch.Tensor:
        """[rows, V], of each token in the batch that asks for it."""
        if self._api.llama_decode(self._context, self._batch) != 0:
            raise RuntimeError("llama.cpp could not decode a batch")
        pointer = self._api.llama_get_logits(self._context)
        return torch.from_numpy(np.ctypeslib.as_array(pointer, shape=(rows, self._vocabulary)))


def converted(model: Any, precision: str) -> Any:
    """The model as llama.cpp loads it. Raises RuntimeError when it can't."""
    import llama_cpp

    llama_cpp.llama_log_set(_quiet(llama_cpp), None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_gguf(model, path, precision)
        params = llama_cpp.llama_model_default_params()
        params.use_mmap = False
        peer = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    if not peer:
        raise RuntimeError("llama.cpp can't load the converted model")
    return peer


_callbacks: list[Any] = []


def _quiet(api: Any) -> Any:
    _callbacks.append(api.llama_log_callback(lambda *_: None))  # llama.cpp keeps the pointer only
    return _callbacks[-1]


def write_gguf(model: Any, path: Path, precision: str) -> None:
    """A Llama-like model in the names and layout of llama.cpp's own converter."""
    import gguf

    architecture = ARCHITECTURES[type(model).__name__]
    config, writer = model.config, gguf.GGUFWriter(str(path), architecture)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    size = model.model.layers[0].self_attn.head_dim
    writer.add_key_length(size)
    writer.add_value_length(size)
    writer.add_rope_dimension_count(size)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("none")
    for name, tensor in _tensors(model, size if architecture == "llama" else None):
        data = tensor.detach().float().contiguous().numpy()
        writer.add_tensor(name, data.astype(np.float16) if precision == "f16" and data.ndim == 2 else data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _tensors(model: Any, size: int | None) -> list[tuple[str, torch.Tensor]]:
    """With `size`, the heads' rows are put as neighbours."""
    named = [("token_embd.weight", model.model.embed_tokens.weight), ("output_norm.weight", model.model.norm.weight)]
    if not model.config.tie_word_embeddings:
        named.append(("output.weight", model.lm_head.weight))
    for index, layer in enumerate(model.model.layers):
        attention, mlp = layer.self_attn, layer.mlp
        parts = {
            "attn_norm": layer.input_layernorm.weight,
            "attn_q": _paired(attention.q_proj.weight, size),
            "attn_k": _paired(attention.k_proj.weight, size),
            "attn_v": attention.v_proj.weight,
            "attn_output": attention.o_proj.weight,
            "ffn_norm": layer.post_attention_layernorm.weight,
            "ffn_gate": mlp.gate_proj.weight,
            "ffn_up": mlp.up_proj.weight,
            "ffn_down": mlp.down_proj.weight,
        }
        if hasattr(attention, "q_norm"):
            parts |= {"attn_q_norm": attention.q_norm.weight, "attn_k_norm": attention.k_norm.weight}
        named += [(f"blk.{index}.{name}.weight", weight) for name, weight in parts.items()]
    return named


def _paired(weight: torch.Tensor, size: int | None) -> torch.Tensor:
    if size is None:
        return weight
    return weight.view(-1, 2, size // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
