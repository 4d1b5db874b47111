"""Step labels without human labellers: how often the policy ends right when it goes on from a step.

Math-Shepherd (arXiv 2312.08935) and arXiv 2408.03314, appendix D: from every step several rollouts, the fraction that
ends right is a soft label. Law: a label is a value of the policy, not the step's correctness; the last step of a
finished solution has the outcome itself; equal beginnings of a problem are rolled out once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.ids import derive_seed
from domain.moves import STEP_SEPARATOR, Answer, FinishReason, split_steps
from domain.ports import SampleRequest
from training.labels.calls import Rollout
from training.labels.checks import at_least, distinct_problems, warm
from training.labels.grading import Grader, gold_of
from training.labels.journal import Journal
from training.labels.pools import Crew, Pool
from training.labels.rollouts import sample_many, solution_requests
from training.labels.work import Work, identity_of
from training.problems.files import ProblemRecord
from training.progress import say

Steps = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LabelSettings:
    samples: int = 4
    """Solutions of each problem."""
    rollouts: int = 4
    """Continuations of each distinct beginning."""
    temperature: float = 1.0
    max_tokens: int = 256
    """Of a solution, and of a continuation."""
    seed: int = 0
    stop_at_zero: bool = False
    """Whether what follows a beginning with label 0 is labelled 0 without rollouts (and has `rollouts` 0). It saves
    most where the policy is weak, and it is wrong of a solution that recovers after K unlucky rollouts: with K = 4 and
    a chance of 0.2 to end right, a label is 0 in 41 % of cases."""

    def __post_init__(self) -> None:
        at_least("samples", self.samples, 1)
        at_least("rollouts", self.rollouts, 1)
        at_least("max_tokens", self.max_tokens, 1)
        warm(self.temperature)


@dataclass(frozen=True, slots=True)
class _Solution:
    steps: Steps
    answer: Answer | None
    right: bool

    @property
    def beginnings(self) -> Iterator[Steps]:
        """Those that can be gone on from: all but the whole."""
        return (self.steps[:length] for length in range(1, len(self.steps)))


@dataclass
class _Task:
    """One problem on its way."""

    at: int
    problem: ProblemRecord
    gold: Answer
    solutions: dict[Steps, _Solution] = field(default_factory=dict)
    """Distinct finished ones, in the order in which they were sampled."""
    labels: dict[Steps, float] = field(default_factory=dict)
    """Of beginnings that were rolled out."""

    def open_beginnings(self, settings: LabelSettings, length: int | None) -> list[Steps]:
        """Distinct ones to roll out; with `length`, those of that many steps."""
        found = dict.fromkeys(part for one in self.solutions.values() for part in one.beginnings)
        return [part for part in found if length in (None, len(part)) and not self.dead(part, settings)]

    def dead(self, beginning: Steps, settings: LabelSettings) -> bool:
        """Whether an earlier beginning of this one had label 0 and that is taken for its label, too."""
        earlier = (beginning[:length] for length in range(1, len(beginning)))
        return settings.stop_at_zero and any(self.labels.get(part, 1.0) == 0 for part in earlier)


def make_labels(
    policy: str, problems: Sequence[ProblemRecord], settings: LabelSettings, out: Path, *, workers: int = 1,
    crew: Crew | None = None,
) -> Path:  # fmt: skip
    """Writes a line for each distinct finished solution, and `OUT.manifest.json`; goes on after a kill.

    {"problem_id", "problem", "steps": [text], "labels": [P(ends right)], "rollouts": [rollouts behind each label],
    "answer": text or null, "right": bool}. The last step's label is the outcome, from no rollouts. Unfinished solutions
    are left out. `crew` says more than `workers` can (Ray, batch). Raises InvalidRequest, ConfigurationError,
    EngineError or Unavailable.
    """
    distinct_problems(problems)
    crew = crew or Crew(workers)
    work = Work(out, identity_of("monte-carlo labels", settings, problems, crew, policy=policy))
    if work.is_done():
        return out
    tasks = [_Task(at, problem, gold_of(problem)) for at, problem in enumerate(problems)]
    with work.journal() as journal, crew.pool("policy", policy) as pool, Grader() as grader:
        maker = _Maker(settings, pool, journal, grader)
        maker.sample(tasks)
        maker.roll_out(tasks)
        counts = maker.counts(tasks)
        say(_statistics(counts))
        return work.finish((row for task in tasks for row in maker.rows(task)), counts, journal)


class _Maker:
    def __init__(self, settings: LabelSettings, policy: Pool, journal: Journal, grader: Grader) -> None:
        self._settings, self._policy, self._journal, self._grader = settings, policy, journal, grader
        self._finished = 0
        self._undeduplicated = 0
        """Rollouts that the finished solutions would have cost one by one."""
        self._drawn = 0

    def sample(self, tasks: Sequence[_Task]) -> None:
        s = self._settings
        problems = [task.problem for task in tasks]
        requests = solution_requests(
            problems, s.samples, temperature=s.temperature, max_tokens=s.max_tokens, seed=s.seed
        )
        found = sample_many(self._policy, requests, self._journal, stage="solutions")
        for at, rollout in enumerate(found):
            self._take(tasks[at // s.samples], rollout)

    def _take(self, task: _Task, rollout: Rollout) -> None:
        steps = split_steps(rollout.text)
        if rollout.finish is not FinishReason.END or not steps:
            return
        self._finished += 1
        self._undeduplicated += (len(steps) - 1) * self._settings.rollouts
        if steps not in task.solutions:
            right = self._grader.right(rollout.answer, task.gold)
            task.solutions[steps] = _Solution(steps, rollout.answer, right)

    def roll_out(self, tasks: Sequence[_Task]) -> None:
        """All beginnings at once; with `stop_at_zero` the shorter ones first."""
        deepest = max((len(steps) for task in tasks for steps in task.solutions), default=0)
        lengths = range(1, deepest) if self._settings.stop_at_zero else [None]
        for length in lengths:
            open_ = [(task, part) for task in tasks for part in task.open_beginnings(self._settings, length)]
            self._label(open_, "continuations" if length is None else f"continuations of {length}")

    def _label(self, open_: Sequence[tuple[_Task, Steps]], stage: str) -> None:
        k = self._settings.rollouts
        requests = [self._request(task, part, index) for task, part in open_ for index in range(k)]
        found = sample_many(self._policy, requests, self._journal, stage=stage, texts=False)
        self._drawn += len(found)
        for at, (task, part) in enumerate(open_):
            rights = sum(self._grader.right(one.answer, task.gold) for one in found[at * k : at * k + k])
            task.labels[part] = rights / k

    def _request(self, task: _Task, beginning: Steps, index: int) -> SampleRequest:
        prefix = STEP_SEPARATOR.join(beginning) + STEP_SEPARATOR
        return SampleRequest(
            key=f"{task.at}/{len(beginning)}/{derive_seed(0, prefix):016x}/{index}",
            problem=task.problem.problem,
            prefix=prefix,
            seed=derive_seed(self._settings.seed, task.problem.id, "from", prefix, index),
            max_tokens=self._settings.max_tokens,
            temperature=self._settings.temperature,
        )

    def rows(self, task: _Task) -> Iterator[dict[str, Any]]:
        for one in task.solutions.values():
            parts = list(one.beginnings)
            yield {
                "problem_id": task.problem.id,
                "problem": task.problem.problem,
                "steps": list(one.steps),
                "labels": [*(task.labels.get(part, 0.0) for part in parts), float(one.right)],
                "rollouts": [*(self._settings.rollouts if part in task.labels else 0 for part in parts), 0],
                "answer": one.answer.text if one.answer else None,
                "right": one.right,
            }

    def counts(self, tasks: Sequence[_Task]) -> dict[str, Any]:
        labels = Counter(round(label, 4) for task in tasks for label in task.labels.values())
        solutions = [one for task in tasks for one in task.solutions.values()]
        return {
            "solutions": len(tasks) * self._settings.samples,
            "finished": self._finished,
            "distinct": len(solutions),
            "distinct_right": sum(one.right for one in solutions),
            "problems_without": sum(not task.solutions for task in tasks),
            "beginnings": labels.total(),
            "rollouts": self._drawn,
            "rollouts_without_deduplication": self._undeduplicated,
            "labels": {str(label): number for label, number in sorted(labels.items())},
        }


def _statistics(counts: dict[str, Any]) -> str:
    asked, drawn = counts["rollouts_without_deduplication"], counts["rollouts"]
    saved = 1 - drawn / asked if asked else 0.0
    return (
        f"{counts['finished']} of {counts['solutions']} solutions finished, {counts['distinct']} distinct, "
        f"{counts['distinct_right']} of them right; {drawn} rollouts from {counts['beginnings']} beginnings, "
        f"{saved:.0%} saved by deduplication; labels {counts['labels']}"
    )
