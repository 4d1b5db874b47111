"""How many replicas a cluster carries. Pure: resources in, a plan out.

A core or a GPU is given to one engine only. Two torch threads on contended cores were measured to be up to 50 times
slower than one, so that on CPUs an engine gets one core and one thread, and there are more engines instead.
"""

from __future__ import annotations

from dataclasses import dataclass

VERIFIER_SHARE = 4
"""One engine in this many is a verifier: reading a solution costs far less than writing it."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """`count` engines with so many cores and GPUs each."""

    count: int
    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


@dataclass(frozen=True, slots=True)
class Plan:
    policy: Replicas
    verifier: Replicas


def plan_replicas(
    cpus: float, gpus: float, *, policies: int | None = None, verifiers: int | None = None, verify: bool = True
) -> Plan:
    """Replicas for a cluster with these resources; `policies` and `verifiers` are the operator's own counts."""
    units = int(gpus) if gpus >= 1 else max(1, int(cpus))
    wanted = 0 if not verify else verifiers if verifiers is not None else max(1, units // VERIFIER_SHARE)
    writers = policies if policies is not None else max(1, units - wanted)
    share = min(1.0, units / (writers + wanted))
    if gpus >= 1:
        cores = min(1.0, cpus / (writers + wanted))
        return Plan(Replicas(writers, cores, share), Replicas(wanted, cores, share))
    return Plan(Replicas(writers, share, 0.0), Replicas(wanted, share, 0.0))
