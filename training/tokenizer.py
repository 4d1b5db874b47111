"""The small models' tokenizer: single bytes, plus a few phrases of the solution format as tokens of their own.

Law: any text survives encoding and decoding unchanged, and every digit is a token of its own.
The step separator is one token, so that a verifier has exactly one place a step to give its score.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.moves import STEP_SEPARATOR

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PAD, EOS = "<|pad|>", "<|end|>"
PROMPT_PHRASES = ("Q: ", "\nA:\n")
"""The fixed parts of `inference.prompts.plain_prompt`."""
PHRASES = (STEP_SEPARATOR, " + ", " - ", " * ", " = ", ", so ", "The answer is $\\boxed{", "}$.", "What is ")


def build_tokenizer(context: int, prompt_phrases: tuple[str, ...] = ()) -> PreTrainedTokenizerFast:
    """A new tokenizer; `prompt_phrases` are fixed texts of the prompt that are worth one token."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {PAD: 0, EOS: 1}
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[letter] = len(vocabulary)
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    phrases = dict.fromkeys((*PHRASES, *prompt_phrases))
    core.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=EOS,
        model_max_length=context,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
