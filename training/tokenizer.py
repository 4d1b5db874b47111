"""The small models' tokenizer: byte-level BPE in which every digit, name and step separator stands alone.

Law: any text survives encoding and decoding unchanged; no token spans a digit, a capitalised word or the separator of
two steps. So a number or a name is always read the same way, which a small model needs for copying it, and a verifier
has exactly one place a step to give its score.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from domain.moves import STEP_SEPARATOR
from inference.prompts import PROMPT_PHRASES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS = "<|pad|>", "<|end|>"
MAX_TOKEN_CHARS = 16
_ALONE = "[0-9]|[A-Z][a-z]*"


def build_tokenizer(context: int, texts: Iterable[str] = (), size: int = 768) -> PreTrainedTokenizerFast:
    """A tokenizer whose merges come from `texts`; at most `size` tokens besides the phrases of the prompt."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    alone = pre_tokenizers.Split(Regex(_ALONE), behavior="isolated")
    core.pre_tokenizer = pre_tokenizers.Sequence([alone, pre_tokenizers.ByteLevel(False, use_regex=False)])  # type: ignore[no-untyped-call]
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, EOS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=MAX_TOKEN_CHARS,
        show_progress=False,
    )
    pieces = (piece for text in texts for piece in text.split(STEP_SEPARATOR))
    core.train_from_iterator(pieces, trainer)
    core.add_tokens([AddedToken(phrase, normalized=False) for phrase in (STEP_SEPARATOR, *PROMPT_PHRASES)])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=EOS,
        model_max_length=context,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
