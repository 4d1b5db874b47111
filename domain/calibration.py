"""What a fit on graded traces has frozen: how sure evidence makes, how hard a probe looks, what an action is worth.

Law: a calibration belongs to the models it was fitted for, and says nothing about others. It is plain numbers, small
enough to stand in a job's trace, so that a trace replays to the same verdict whatever is fitted later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from domain.recipe import StrategySpec

REVISER_MARK = "+"
"""In a policy's id, before the checksum of its reviser."""
VERSION = 1
"""Raised whenever a file that was written before can't be read as what it meant."""


@dataclass(frozen=True, slots=True)
class Logistic:
    """P = σ(bias + Σ weight × (feature − mean) / spread)."""

    features: tuple[str, ...]
    """Names from `search.features`."""
    means: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float


@dataclass(frozen=True, slots=True)
class ConfidenceModel:
    """P(the returned answer is right) of one family of searches."""

    family: str
    """`votes` and `scored` (independent samples), `best`, `likeliest` and `searched` (what the adaptive search elects
    by, before and after its first stage), or the name of the one strategy it was fitted on."""
    logistic: Logistic
    raw: tuple[float, ...]
    """Knots of a rising curve over the logistic's output, in (0, 1) …"""
    sure: tuple[float, ...]
    """… and the confidence at each: lower where few problems were seen."""
    problems: int
    most_samples: int
    """The longest search it was fitted on; beyond it, more samples don't make it surer by themselves."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """From a probe's evidence to a bin, 0 the easiest, by the pass rate that it predicts."""

    samples: int
    scored: bool
    """Whether the probe's solutions are scored, too."""
    logistic: Logistic
    edges: tuple[float, ...]
    """Falling predicted pass rates that part the bins."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What does best in one difficulty bin at one budget, found by 2-fold cross-validation."""

    bin: int
    samples: float
    """The budget, in costs of one plain sample."""
    strategy: StrategySpec
    accuracy: float
    """Held-out."""
    cost: float
    """Mean, in costs of one plain sample."""
    then: tuple[StrategySpec, ...] = ()
    """Searches over steps that follow `strategy`, one after the other; the answer is elected of all solutions."""


@dataclass(frozen=True, slots=True)
class ActionValue:
    """What one action brought, in a state of `samples` solutions, by confidence."""

    action: str
    """`sample` (with scores where the state has them), `score`, or `search` (by `strategy`)."""
    samples: int
    """Solutions before it."""
    scored: bool
    """Whether the solutions before it were scored."""
    to_samples: int
    """Solutions after it."""
    gains: tuple[float, ...]
    """Mean change of P(right), one for each band of `Actions.bands`."""
    costs: tuple[float, ...]
    """Mean costs, in costs of one plain sample, likewise."""
    strategy: StrategySpec | None = None
    rung: int = 0
    """Stages of the ladder that the state has behind it; a `search` is the stage after `to_rung` − 1 of them."""
    to_rung: int = 0
    after: tuple[tuple[float, ...], ...] = ()
    """For each band, the chances of the bands that the confidence is in afterwards; empty: it stays where it is."""


@dataclass(frozen=True, slots=True)
class Actions:
    """The adaptive controller's table."""

    bands: tuple[float, ...]
    """Rising upper ends of the bands of confidence; the last is 1."""
    values: tuple[ActionValue, ...]


@dataclass(frozen=True, slots=True)
class Calibration:
    """All that is fitted, for one policy and one verifier."""

    policy: str
    """Checksums as in the models' ids (the part behind the `@`); empty: not bound to a model. Of a policy with a
    reviser only its own, unless strategies that revise were fitted."""
    verifier: str
    score_cost: float
    """Verifying one solution, in costs of sampling one."""
    confidence: tuple[ConfidenceModel, ...] = ()
    difficulty: Difficulty | None = None
    choices: tuple[Choice, ...] = ()
    actions: Actions | None = None
    problems: int = 0
    version: int = VERSION

    def model(self, family: str) -> ConfidenceModel | None:
        return next((one for one in self.confidence if one.family == family), None)


def needed_by(calibration: Calibration, strategy: str) -> Calibration:
    """What a search by this strategy can use: a trace must not carry the rest."""
    adaptive, optimal = strategy == "adaptive", strategy == "compute_optimal"
    return replace(
        calibration,
        actions=calibration.actions if adaptive else None,
        choices=calibration.choices if optimal else (),
        difficulty=calibration.difficulty if optimal else None,
    )


def checksum(model_id: str | None) -> str:
    """The part of a model's id that names its content, without the path it was loaded from."""
    return "" if model_id is None else model_id.rpartition("@")[2]


def solver_checksum(policy: str | None) -> str:
    """Of the checkpoint that solves, where the policy has a reviser beside it; else as `checksum`."""
    return checksum(policy).partition(REVISER_MARK)[0]


def belongs(calibration: Calibration, policy: str, verifier: str | None) -> bool:
    """Whether it was fitted for these models. What was fitted without a verifier serves a stack that has none; what was
    fitted without revisions serves the same policy with any reviser."""
    known = calibration.policy in (checksum(policy), solver_checksum(policy))
    return known and calibration.verifier == checksum(verifier)
