"""Training data that a command makes for itself from problems, when none was given.

Law: it stands beside the model as a file of its own and is made once; the same command after a kill goes on with it.
"""

from __future__ import annotations

from pathlib import Path

from domain.errors import ConfigurationError
from inference.checks import Head
from training.artifacts.publish import refuse_existing
from training.hf.models import check_policy
from training.hf.problems import read_disjoint
from training.hf.processes import count
from training.hf.settings import Settings


def labels_for(
    policy: str,
    sampler: str | None,
    problems: Path,
    out: Path,
    settings: Settings,
    *,
    samples: int | None = None,
    rollouts: int | None = None,
    workers: int = 1,
    test: Path | None = None,
    force: bool = False,
) -> Path:
    """Labelled steps in `OUT.labels.jsonl`; `sampler` (or the policy) writes and continues the solutions."""
    from training.labels.monte_carlo import LabelSettings, make_labels

    records = read_disjoint(problems, test)
    _refuse_early(policy, Head.TOKEN_CLASSIFICATION, out, force, "labels")
    defaults = LabelSettings()
    chosen = LabelSettings(
        samples=samples or defaults.samples, rollouts=rollouts or defaults.rollouts, seed=settings.seed
    )
    return make_labels(sampler or policy, records, chosen, _beside(out, "labels"), workers=workers)


def chains_for(
    policy: str,
    problems: Path,
    out: Path,
    settings: Settings,
    *,
    samples: int | None = None,
    workers: int = 1,
    test: Path | None = None,
    force: bool = False,
) -> Path:
    """Chains of the policy's own attempts in `OUT.chains.jsonl`."""
    from training.labels.revisions import ChainSettings, make_chains

    records = read_disjoint(problems, test)
    _refuse_early(policy, Head.CAUSAL_LM, out, force, "chains")
    chosen = ChainSettings(samples=samples or ChainSettings().samples, seed=settings.seed)
    return make_chains(policy, records, chosen, _beside(out, "chains"), workers=workers)


def _refuse_early(policy: str, head: Head, out: Path, force: bool, what: str) -> None:
    """What the training would refuse is refused before hours of sampling."""
    refuse_existing(out, force=force)
    check_policy(policy, head)
    if count() > 1:
        raise ConfigurationError(
            f"several processes can't make one file of {what}: make it with `deliberate train {what}` before"
        )


def _beside(out: Path, role: str) -> Path:
    return out.with_name(f"{out.name}.{role}.jsonl")
