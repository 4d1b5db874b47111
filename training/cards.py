"""The model cards of the shipped models. Law: every number in a card comes from the run's own report and manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from training.tables import as_markdown

if TYPE_CHECKING:
    from training.recipe import Recipe
    from training.report import Report

_LEVELS = r"""Problems look like `What is (17 + 4) * 3 - 8?`: whole numbers, `+ - *` and brackets, from 2 operations on
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

The end of the base of which the policy is an early snapshot, so that it knows more than the policy: a {_size(recipe)}
Llama (`AutoModelForCausalLM.from_pretrained`), and a small head (`verifier_head.safetensors`, described by
`verifier.json`) that makes a probability of how much each step surprises it. The score of a step is the chance that a
solution that begins like this ends right.

{_LEVELS}

## How it was made
{numbers.samples} solutions of the policy for each of {numbers.sampled_problems} training problems, at a temperature of
{recipe.base.temperature:g}. Each different one is read by this model; the features of each of its steps
(log-probability, gap to the likeliest token and entropy, in the step and so far) go into a two-layer perceptron.

**Labels**: no person's labels and no step checker. A solution's final answer says whether it ended right, and each of
its prefixes gets that as its label, as a Monte-Carlo rollout of one would. Every fifth problem is kept apart: the head
that ranks best *within* these problems is the one that stays.

**What did not work**: a plain two-class head on the tokens of the same model, trained on sampled and on planted errors
with exact labels, had a within-problem AUC of 0.53 to 0.54 (250 problems, two variants; trials whose scripts are not
kept): best-of-16 by it was below a random pick, and weighted best-of-16 merely as good as majority.

{_origin(manifest)}

## What it is worth
`python -m training.report` measures this through the engines that serve. Solutions are scored by their last step.

{as_markdown(report)}
"""


def _size(recipe: Recipe) -> str:
    return f"{recipe.model.layers}-layer, {recipe.model.hidden}-wide"


def _origin(manifest: Mapping[str, Any]) -> str:
    minutes = manifest["training_seconds"] / 60
    return (
        f"Made by `{manifest['command']}` in {minutes:.0f} minutes on {manifest['machine']}; seeds, versions\n"
        "and the checksum of the data are in manifest.json. Train, validation and test problems come from different\n"
        "seeds, and no text of one set is in another."
    )
