"""The stages of a recipe: problems → base → policy → reviser, labels → verifiers → graded traces.

Each is asked for by those that need it and made once; what decides a stage are its own numbers and the stages before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cached_property, partial
from pathlib import Path

from training.labels.graded import GradedSettings, make_graded
from training.labels.mending import MendingSettings, make_mending_chains
from training.labels.monte_carlo import LabelSettings, make_labels
from training.labels.revisions import ChainSettings, make_chains
from training.pipeline import bases, reviser, verifiers
from training.pipeline.data import CALIBRATION, SAMPLED, TRAIN, make_data, records
from training.pipeline.workshop import Make, Stage, Workshop
from training.recipe import Recipe

TEMPERATURE = 1.0
"""At which chains and labels are sampled."""
POLICY = "policy"
"""The folder that the reviser's is in."""


class Stages:
    """Making one raises ConfigurationError, InvalidRequest or EngineError; asked for again after a kill it goes on."""

    def __init__(self, shop: Workshop, recipe: Recipe, workers: int) -> None:
        self._shop, self._recipe, self._workers = shop, recipe, workers

    @cached_property
    def data(self) -> Stage:
        numbers, context = self._recipe.data, self._recipe.model.context
        return self._stage("data", (numbers, context), [], partial(make_data, recipe=numbers, context=context))

    @cached_property
    def base(self) -> Stage:
        model, numbers = self._recipe.model, self._recipe.base
        make = partial(bases.make_base, data=self.data, model=model, recipe=numbers, name="base")
        return self._stage("base", (model, numbers), [self.data], make)

    @cached_property
    def end(self) -> Stage:
        make = partial(bases.make_end, data=self.data, base=self.base, model=self._recipe.model)
        return self._stage("end", (), [self.base], make)

    @cached_property
    def early(self) -> Stage:
        """The policy before it learns to revise."""
        model, numbers = self._recipe.model, self._recipe.policy
        make = partial(bases.make_policy, data=self.data, base=self.base, model=model, recipe=numbers)
        return self._stage("early", numbers, [self.base], make)

    @cached_property
    def chains(self) -> Stage:
        numbers = self._recipe.chains
        settings = ChainSettings(
            samples=numbers.samples,
            chains_per_problem=numbers.chains_per_problem,
            right_to_right=numbers.right_to_right,
            temperature=TEMPERATURE,
            seed=self._recipe.seed,
        )
        problems = records(self.data, SAMPLED)[: numbers.problems]

        def make(folder: Path) -> None:
            make_chains(_model(self.early), problems, settings, folder / "chains.jsonl", workers=self._workers)

        return self._stage("chains", (numbers, settings), [self.data, self.early], make)

    @cached_property
    def policy(self) -> Stage:
        numbers = self._recipe.reviser
        make = partial(reviser.make_reviser, data=self.data, policy=self.early, chains=self.chains, recipe=numbers)
        return self._stage("policy", numbers, [self.early, self.chains], make)

    @cached_property
    def revision_chains(self) -> Stage:
        numbers = self._recipe.revision_chains
        settings = MendingSettings(
            samples=numbers.samples,
            chains_per_problem=numbers.chains_per_problem,
            temperature=self._recipe.calibration.temperature,
            seed=self._recipe.seed,
        )
        # Those that nothing was trained on come first; the policy has seen each of the others once or not at all.
        problems = [*records(self.data, SAMPLED), *records(self.data, TRAIN)][: numbers.problems]

        def make(folder: Path) -> None:
            make_mending_chains(_model(self.policy), problems, settings, folder / "chains.jsonl", workers=self._workers)

        return self._stage("revision-chains", (numbers, settings), [self.data, self.policy], make)

    @cached_property
    def reviser(self) -> Stage:
        """A checkpoint that takes the policy's place where there are attempts to revise."""
        numbers, chains = self._recipe.revision_model, self.revision_chains
        make = partial(reviser.make_reviser, data=self.data, policy=self.policy, chains=chains, recipe=numbers)
        return self._stage("reviser", numbers, [self.policy, chains], make)

    @cached_property
    def labels(self) -> Stage:
        numbers, first = self._recipe.labels, self._recipe.chains.problems
        settings = LabelSettings(
            samples=numbers.samples, rollouts=numbers.rollouts, temperature=TEMPERATURE, seed=self._recipe.seed
        )
        problems = records(self.data, SAMPLED)[first : first + numbers.problems]

        def make(folder: Path) -> None:
            make_labels(_model(self.policy), problems, settings, folder / "labels.jsonl", workers=self._workers)

        return self._stage("labels", (first, numbers, settings), [self.data, self.policy], make)

    @cached_property
    def verifier(self) -> Stage:
        numbers, seed = self._recipe.head, self._recipe.seed
        make = partial(verifiers.make_verifier, end=self.end, labels=self.labels, recipe=numbers, seed=seed)
        return self._stage("verifier", (numbers, seed), [self.end, self.labels], make)

    @cached_property
    def orm(self) -> Stage:
        return self._plain("orm")

    @cached_property
    def prm_plain(self) -> Stage:
        return self._plain("prm")

    @cached_property
    def small(self) -> Stage:
        model = self._recipe.small.model
        numbers = dataclasses.replace(self._recipe.base, steps=self._recipe.small.steps)
        make = partial(bases.make_base, data=self.data, model=model, recipe=numbers, name="small")
        trained = self._stage("small-base", (model, numbers), [self.data], make)
        return self._stage("small", (), [trained], partial(bases.make_end, data=self.data, base=trained, model=model))

    @cached_property
    def large(self) -> Stage:
        small, numbers, base = self._recipe.model, self._recipe.large, self._recipe.base
        make = partial(bases.make_large, data=self.data, base=self.base, small=small, recipe=base, large=numbers)
        trained = self._stage("large-base", (numbers, base), [self.base], make)
        model = bases.large_model(small, numbers)
        return self._stage("large", (), [trained], partial(bases.make_end, data=self.data, base=trained, model=model))

    @cached_property
    def graded(self) -> Stage:
        numbers = self._recipe.calibration
        settings = GradedSettings(numbers.samples, numbers.temperature, seed=self._recipe.seed)
        problems = records(self.data, CALIBRATION)

        def make(folder: Path) -> None:
            models = _model(self.policy), _model(self.verifier)
            make_graded(*models, problems, settings, folder / "graded.jsonl", workers=self._workers)

        return self._stage("graded", settings, [self.data, self.policy, self.verifier], make)

    names = (POLICY, "verifier", "orm", "prm-plain", "small", "large")
    """The folders that are published; the policy's holds the reviser's."""

    def models(self) -> Mapping[str, Stage]:
        """The published models, by the name of the folder."""
        made = (self.policy, self.verifier, self.orm, self.prm_plain, self.small, self.large)
        return dict(zip(self.names, made, strict=True))

    def _plain(self, kind: str) -> Stage:
        numbers, seed = self._recipe.plain, self._recipe.seed
        make = partial(verifiers.make_plain, kind=kind, end=self.end, labels=self.labels, recipe=numbers, seed=seed)
        return self._stage(kind, (numbers, seed), [self.end, self.labels], make)

    def _stage(self, name: str, settings: object, inputs: list[Stage], make: Make) -> Stage:
        return self._shop.stage(name, settings, inputs, make)


def _model(stage: Stage) -> str:
    return str(stage.folder / "model")
