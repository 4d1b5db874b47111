"""A process reward model made of a causal language model that knows more than the policy, and a small head.

The folder is an ordinary causal LM checkpoint, plus `verifier.json` (format and feature names) and
`verifier_head.safetensors` (the features' mean and spread, and a two-layer perceptron). The score of a step is the
probability that a solution that begins like this ends right, read from the model's own log-probabilities: at small
scale that ranks solutions where a plain token-classification head learns only how hard a problem is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from domain.errors import ConfigurationError
from domain.moves import split_steps
from domain.ports import ScoreRequest
from inference.checks import VERIFIER_FORMAT, VERIFIER_HEAD, Head, check_verifier_folder
from inference.engines.paths import takes_fast_path
from inference.loading import Loaded, load
from inference.steps import encode_solution_for_scoring
from inference.verifiers.likelihood_features import FEATURES, own_end, step_features, surprises
from inference.verifiers.token_classification import Call, Limits, TokenClassificationVerifier

FORMAT = "step-likelihood"
HIDDEN = 64


class LikelihoodHead(nn.Module):
    """Features [..., F] to the logit of "ends right" [...]."""

    mean: Tensor
    spread: Tensor

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FEATURES)))
        self.register_buffer("spread", torch.ones(len(FEATURES)))
        self.layers = nn.Sequential(nn.Linear(len(FEATURES), hidden), nn.GELU(), nn.Linear(hidden, 1))

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.layers((features - self.mean) / self.spread)
        return logits[..., 0]

    def scores(self, solutions: Sequence[Tensor], device: torch.device) -> list[list[float]]:
        """P(ends right) at each step, from each solution's features [steps, F]."""
        flat = iter(self(torch.cat(list(solutions)).to(device)).float().sigmoid().tolist())
        return [[next(flat) for _ in range(len(rows))] for rows in solutions]

    def sharpen(self, factor: float) -> None:
        """Multiplies the logits: the ranking stays."""
        last = self.layers[-1]
        assert isinstance(last, nn.Linear)
        with torch.no_grad():
            last.weight.mul_(factor)
            last.bias.mul_(factor)

    def save(self, folder: Path) -> None:
        """Beside the language model's files."""
        save_file({name: value.contiguous() for name, value in self.state_dict().items()}, folder / VERIFIER_HEAD)
        description = {"format": FORMAT, "features": list(FEATURES), "hidden": self.layers[0].out_features}
        (folder / VERIFIER_FORMAT).write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def load_step_likelihood(spec: str, *, threads: int, device: str, rows: int) -> TokenClassificationVerifier:
    """With kept beginnings on the fast CPU path, else plain. Raises ConfigurationError."""
    loaded, head = load_parts(spec, threads=threads, device=device)
    limits = Limits(rows=rows)
    if takes_fast_path(loaded, spec):
        from inference.verifiers.kept_likelihood import KeptLikelihoodVerifier

        return KeptLikelihoodVerifier(loaded, spec, head, limits)
    return StepLikelihoodVerifier(loaded, spec, head, limits)


def load_plain(spec: str, *, threads: int, device: str, rows: int) -> StepLikelihoodVerifier:
    """Without kept beginnings, whatever the model: for training, which reads features. Raises ConfigurationError."""
    loaded, head = load_parts(spec, threads=threads, device=device)
    return StepLikelihoodVerifier(loaded, spec, head, Limits(rows=rows))


def load_parts(spec: str, *, threads: int, device: str) -> tuple[Loaded, LikelihoodHead]:
    """The language model of a verifier's folder, and its head. Raises ConfigurationError."""
    folder = check_verifier_folder(spec)
    head = _load_head(folder)
    loaded = load(spec, Head.CAUSAL_LM, threads=threads, device=device)
    digest = hashlib.blake2b((folder / VERIFIER_HEAD).read_bytes(), digest_size=3).hexdigest()
    parameters = loaded.info.parameters + sum(weights.numel() for weights in head.parameters())
    info = replace(loaded.info, id=f"{loaded.info.id}+{digest}", parameters=parameters)
    return replace(loaded, info=info), head


def _load_head(folder: Path) -> LikelihoodHead:
    try:
        description = json.loads((folder / VERIFIER_FORMAT).read_text(encoding="utf-8"))
        if description["format"] != FORMAT or tuple(description["features"]) != FEATURES:
            raise ConfigurationError(f"{folder / VERIFIER_FORMAT} names a format that this version can't read")
        head = LikelihoodHead(description["hidden"])
        head.load_state_dict(load_file(folder / VERIFIER_HEAD))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ConfigurationError(f"the verifier head in {folder} can't be read ({type(error).__name__})") from None
    return head.eval()


def separator_tokens(loaded: Loaded, separator: str) -> int:
    return len(loaded.tokenizer(separator, add_special_tokens=False)["input_ids"])


class StepLikelihoodVerifier(TokenClassificationVerifier):
    """Admission and batching of the token-classification verifier; another way from hidden states to scores."""

    def __init__(self, loaded: Loaded, spec: str, head: LikelihoodHead, limits: Limits | None = None) -> None:
        super().__init__(loaded, spec, limits)
        self._head = head.to(loaded.device)
        self._separator_tokens = separator_tokens(loaded, self._separator)

    @torch.inference_mode()
    def _scores(self, batch: list[Call]) -> list[list[float]]:
        return self._head.scores(self.features(batch), self._loaded.device)

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Tensor]:
        """Features of each (problem, solution), for training a head: [steps, F]."""
        calls = [(index, self._call(problem, text)) for index, (problem, text) in enumerate(pairs)]
        calls.sort(key=lambda one: one[1].length)
        found: dict[int, Tensor] = {}
        for start in range(0, len(calls), self._limits.rows):
            part = calls[start : start + self._limits.rows]
            found |= dict(zip((index for index, _ in part), self.features([call for _, call in part]), strict=True))
        return [found[index] for index in range(len(pairs))]

    def _call(self, problem: str, text: str) -> Call:
        steps = split_steps(text)
        encoded = encode_solution_for_scoring(self._loaded.tokenizer, problem, steps, self._separator)
        return Call(ScoreRequest("", problem, text), encoded)

    @torch.inference_mode()
    def features(self, batch: list[Call]) -> list[Tensor]:
        """[steps, F] of each call: one padded forward pass, then each row's own tokens."""
        device, pad = self._loaded.device, self._loaded.pad_id
        width = max(call.length for call in batch)
        ids = torch.tensor([[*call.encoded.ids, *[pad] * (width - call.length)] for call in batch], device=device)
        mask = torch.tensor([[1] * call.length + [0] * (width - call.length) for call in batch], device=device)
        logits: Any = self._loaded.model(input_ids=ids, attention_mask=mask, use_cache=False).logits  # [B, T, V]
        return [self._features(logits[row], ids[row], call.encoded.ends) for row, call in enumerate(batch)]

    def _features(self, logits: Tensor, ids: Tensor, ends: tuple[int, ...]) -> Tensor:
        """[steps, F] from logits [T, V] that predict the token after each of `ids` [T]."""
        first, last = ends[0], ends[-1]
        read = surprises(logits[first - 1 : last - 1], ids[first:last])
        spans = [(start, own_end(start, end, self._separator_tokens)) for start, end in pairwise(ends)]
        return step_features([read[start - first : end - first] for start, end in spans])
