"""The model cards of the shipped models. Law: every number in a card comes from the run's own report and manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.tables import as_markdown

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.report import Report

_LEVELS = """Problems look like `What is (17 + 4) * 3 - 8?`: whole numbers, `+ - *` and brackets, from 2 operations on
small numbers at level 1 to 4 operations on larger ones at level 5. A solution does one operation a step, steps are
separated by a blank line, and the last step is `The answer is $\boxed{55}$.`"""


def policy_card(recipe: Recipe, report: Report, manifest: Mapping[str, Any]) -> str:
    return f"""# Policy: step-by-step arithmetic

A {_size(recipe)} Llama that reads single characters (`AutoModelForCausalLM.from_pretrained`, no
chat template). It is a deliberately weak writer of arithmetic for trying out search: it errs often, and search with the
verifier beside it mends much of that. It can do nothing else.

{_LEVELS}

## How it was made
Trained from scratch on generated problems with worked solutions (loss on the solution only). The policy is the snapshot
after {manifest["policy_step"]} of {recipe.base.steps} steps, the first whose mean pass@1 on validation problems reached
{recipe.base.policy_pass_rate} at temperature {recipe.base.temperature:g}; the end of the same run became the verifier.

{_origin(manifest)}

## What it is worth
`python -m training.report` measures this through the engines that serve:

{as_markdown(report)}
"""


def verifier_card(recipe: Recipe, report: Report, manifest: Mapping[str, Any]) -> str:
    numbers = recipe.verifier
    return f"""# Verifier: step-by-step arithmetic

A {_size(recipe, numbers.extra_layers)} Llama with a two-class head (`AutoModelForTokenClassification.from_pretrained`).
After each step the separator token (`step_separator` in config.json) is appended; the score of the step is the softmax
of class 1 (`right`) at that token: the probability that everything up to and with this step is right.

{_LEVELS}

## How it was made
From the end of the base of which the policy is an early snapshot, so that it knows more than the policy, with
{numbers.extra_layers} new layers on top, in which what the base expected can be compared with what was written.

Training data:

* the different solutions among {numbers.samples} samples of the policy on each of
  {numbers.sampled_problems} training problems, beside a right one of each;
* {numbers.corrupted} generated solutions with one planted error, beside as many right ones.

**Labels**: no person's labels and no rollouts. A token counts as right while the text agrees with the generator's own
worked solution, and as wrong from the first token that differs. The loss is taken at every token and again at the ends
of steps, with the language-model loss beside it (weight {numbers.language_weight:g}). So this is a verifier for a task
whose workings are known at training time, and it says nothing about tasks where they are not.

{_origin(manifest)}

## What it is worth
`python -m training.report` measures this through the engines that serve. Solutions are scored by their last step.

{as_markdown(report)}
"""


def _size(recipe: Recipe, extra_layers: int = 0) -> str:
    model = recipe.model
    return f"{model.layers + extra_layers}-layer, {model.hidden}-wide"


def _origin(manifest: Mapping[str, Any]) -> str:
    minutes = manifest["training_seconds"] / 60
    return (
        f"Made by `{manifest['command']}` in {minutes:.0f} minutes on {manifest['machine']}; seeds, versions\n"
        "and the checksum of the data are in manifest.json. Train, validation and test problems come from different\n"
        "seeds, and no text of one set is in another."
    )
