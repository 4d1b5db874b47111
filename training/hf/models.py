"""The model that a run starts from and the folder that it ends in.

Law: no code of a model folder is run; a model whose weights don't hold what its task needs is refused in one line; what
is saved is loaded by `from_pretrained` alone, in the number format of the weights that it came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.errors import ConfigurationError
from inference.checks import Head, check_model_folder, is_local, weight_files
from training.artifacts.checksums import verify_sums
from training.hf.settings import Settings

if TYPE_CHECKING:
    import torch

LABELS = {0: "wrong", 1: "right"}
TOKEN_HEADS = ("score", "classifier")
"""What transformers calls the output layer of a token classifier."""


@dataclass(frozen=True)
class Start:
    """What a run starts from."""

    spec: str
    id: str
    """With a checksum of the folder, or with the commit of a hub's repository."""
    model: Any
    tokenizer: Any
    dtype: torch.dtype
    """Of the weights as they were stored; those of the result are stored alike."""
    parameters: int
    """Without an adapter."""
    context_tokens: int
    end: int
    """The id that ends a solution."""


def check_policy(spec: str, head: Head) -> None:
    """What can be known of a local folder without loading it: its kind, whole weights, its checksums."""
    if is_local(spec):
        verify_sums(check_model_folder(spec, _stored_head(spec, head)))


def load_start(spec: str, head: Head, settings: Settings) -> Start:
    """Raises ConfigurationError with one line that names the model and the remedy."""
    from inference.loading import Loaded, choose_device, eos_ids

    source = str(Path(spec).expanduser()) if is_local(spec) else spec
    config, tokenizer = _described(spec, source)
    _check_kind(spec, config, head)
    dtype = config.get_text_config().dtype or config.dtype or _float32()
    working = _working_dtype(dtype, settings)
    model = _model(spec, source, head, working)
    # The end is chosen by the rule of the engine that will sample from the result.
    info = _info(spec, source, model, tokenizer)
    loaded = Loaded(model, tokenizer, info, choose_device("cpu"))
    end = _end(tokenizer, eos_ids(loaded, spec)) if head is Head.CAUSAL_LM else -1
    return Start(spec, info.id, model, tokenizer, dtype, info.parameters, info.context_tokens, end)


def save_result(folder: Path, model: Any, start: Start, settings: Settings) -> None:
    """Writes config, weights and tokenizer; an adapter is merged before, unless it was asked for alone."""
    if settings.lora is not None and not settings.keep_adapter:
        model = model.merge_and_unload()
    if settings.keep_adapter:
        model.save_pretrained(folder)
    else:
        model.to(start.dtype).save_pretrained(folder)
    start.tokenizer.save_pretrained(folder)


def parameters(model: Any) -> int:
    return sum(weights.numel() for weights in model.parameters())


def trained_parameters(model: Any) -> int:
    return sum(weights.numel() for weights in model.parameters() if weights.requires_grad)


def _stored_head(spec: str, head: Head) -> Head:
    """A verifier may start from a policy, or go on from an earlier verifier."""
    import json

    config = Path(spec).expanduser() / "config.json"
    if head is Head.CAUSAL_LM or not config.is_file():
        return Head.CAUSAL_LM
    try:
        names = json.loads(config.read_text(encoding="utf-8")).get("architectures") or []
    except (ValueError, AttributeError):
        return Head.CAUSAL_LM  # whose check says what is wrong with the file
    return head if any(str(name).endswith(head.endings) for name in names) else Head.CAUSAL_LM


def _described(spec: str, source: str) -> tuple[Any, Any]:
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False)
        return config, transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ConfigurationError(f"model {spec} can't be read: {_first_line(error)}") from error


def _check_kind(spec: str, config: Any, head: Head) -> None:
    wanted = {Head.CAUSAL_LM, head}
    names = [str(name) for name in config.architectures or []]
    fits = any(name.endswith(kind.endings) for kind in wanted for name in names)
    if config.is_encoder_decoder or (names and not fits):
        shown = names[0] if names else config.model_type
        raise ConfigurationError(f"model {spec} is {shown}, which is not {Head.CAUSAL_LM.title}: choose another")


def _model(spec: str, source: str, head: Head, dtype: Any) -> Any:
    import transformers

    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": False, "use_safetensors": True}
    auto: Any = transformers.AutoModelForCausalLM
    if head is Head.TOKEN_CLASSIFICATION:
        auto = transformers.AutoModelForTokenClassification
        options |= {
            "num_labels": len(LABELS),
            "id2label": LABELS,
            "label2id": {name: at for at, name in LABELS.items()},
        }
    try:
        model, report = auto.from_pretrained(source, output_loading_info=True, **options)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ConfigurationError(f"model {spec} can't be loaded as {head.title}: {_first_line(error)}") from error
    missing = [name for name in sorted(report["missing_keys"]) if head is Head.CAUSAL_LM or not in_head(name)]
    if missing:
        raise ConfigurationError(f"model {spec} has no weights for {missing[0]}: it is not {Head.CAUSAL_LM.title}")
    return model


def in_head(name: str) -> bool:
    return name.split(".")[0] in TOKEN_HEADS


def _working_dtype(stored: Any, settings: Settings) -> Any:
    """Trained weights are kept in float32; frozen ones on a GPU stay as they were stored."""
    import torch

    frozen = settings.lora is not None and settings.device != "cpu" and torch.cuda.is_available()
    return stored if frozen else torch.float32


def _float32() -> Any:
    import torch

    return torch.float32


def _info(spec: str, source: str, model: Any, tokenizer: Any) -> Any:
    from domain.ports import ModelInfo
    from inference.identity import folder_id
    from inference.loading import _context

    commit = getattr(model.config, "_commit_hash", None) or "main"
    folder = Path(source)
    identity = folder_id(spec, folder, weight_files(folder)) if is_local(spec) else f"{spec}@{commit[:12]}"
    return ModelInfo(identity, parameters(model), _context(model.config.get_text_config(), tokenizer))


def _end(tokenizer: Any, known: frozenset[int]) -> int:
    """The tokenizer's own end where the engine stops at it, else the first at which the engine stops."""
    return int(tokenizer.eos_token_id) if tokenizer.eos_token_id in known else min(known)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)[:200]


def separator_ids(tokenizer: Any, spec: str, separator: str) -> Sequence[int]:
    """Raises ConfigurationError when the tokenizer can't write the separator of steps."""
    ids = list(tokenizer(separator, add_special_tokens=False)["input_ids"])
    if not ids or (tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids):
        raise ConfigurationError(
            f"the tokenizer of {spec} has no token for the step separator {separator!r}: name another with --separator"
        )
    return ids
