"""The engines of a cluster: makes as many actors as it carries, and makes them again when the cluster grows.

The actors are detached: they outlive a crash of this process and of every orchestrator. Ray restarts an actor whose
process died; stopping this process in order ends them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import ray

from domain.settings import NO_VERIFIER, Settings
from workers.gpu.actors import Description, EngineActor, EngineSpec
from workers.gpu.plan import Plan, Replicas, plan_replicas
from workers.names import KINDS, NAMESPACE, POLICY, VERIFIER, prefix, replica

log = logging.getLogger(__name__)

PENDING_CALLS = 1000
"""Ray's own queue in front of an actor; requests come in batches, so that this is plenty."""


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str
    spec: EngineSpec
    cpus: float
    gpus: float


class Fleet:
    """Holds the handles of the actors that this process has made or found."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._actors: dict[str, Any] = {}
        self._loading: dict[Any, str] = {}

    @property
    def complete(self) -> bool:
        return bool(self._actors) and not self._loading

    def reconcile(self) -> None:
        """Make what is missing and end what serves another model."""
        resources = ray.cluster_resources()
        wanted = self.wanted(resources.get("CPU", 1.0), resources.get("GPU", 0.0))
        self._end_foreign()
        for one in wanted:
            if one.name not in self._actors:
                actor = self._actors[one.name] = _make(one)
                self._loading[actor.load.remote()] = one.name

    def wanted(self, cpus: float, gpus: float) -> list[Wanted]:
        settings = self._settings
        plan = plan_replicas(
            cpus,
            gpus,
            policies=settings.policy_replicas,
            verifiers=settings.verifier_replicas,
            verify=settings.verifier != NO_VERIFIER,
        )
        return _named(plan, settings)

    def loaded(self, timeout_s: float) -> list[tuple[str, Description]]:
        """Actors that have loaded since the last call, after at most `timeout_s`. Raises what loading raised."""
        if not self._loading:
            return []
        done, _ = ray.wait(list(self._loading), num_returns=len(self._loading), timeout=timeout_s)
        return [(self._loading.pop(ref), ray.get(ref)) for ref in done]

    def end(self) -> None:
        for actor in self._actors.values():
            ray.kill(actor)
        self._actors.clear()

    def _end_foreign(self) -> None:
        ours = (prefix(POLICY, self._settings.policy), prefix(VERIFIER, self._settings.verifier))
        for name in ray.util.list_named_actors():
            if name.split("-")[0] in KINDS and not name.startswith(ours):
                log.info("ending %s, which serves another model", name)
                ray.kill(ray.get_actor(name))


def _named(plan: Plan, settings: Settings) -> list[Wanted]:
    kinds: list[tuple[str, str, Replicas]] = [
        (POLICY, settings.policy, plan.policy),
        (VERIFIER, settings.verifier, plan.verifier),
    ]
    return [
        Wanted(
            replica(kind, model, index),
            EngineSpec(kind, model, replicas.threads, "cuda" if replicas.gpus > 0 else "cpu"),
            replicas.cpus,
            replicas.gpus,
        )
        for kind, model, replicas in kinds
        for index in range(replicas.count)
    ]


def _make(one: Wanted) -> Any:
    options = {
        "name": one.name,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
        "num_cpus": one.cpus,
        "num_gpus": one.gpus,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_pending_calls": PENDING_CALLS,
    }
    return ray.remote(EngineActor).options(**options).remote(one.spec)
