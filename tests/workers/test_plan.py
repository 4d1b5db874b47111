"""How many engines a cluster carries: never more cores or GPUs than there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.gpu.plan import plan_replicas


@pytest.mark.parametrize(
    ("cpus", "gpus", "expected"),
    [
        (1, 0, ((1, 0.5, 0.0), (1, 0.5, 0.0))),
        (2, 0, ((1, 1.0, 0.0), (1, 1.0, 0.0))),
        (4, 0, ((3, 1.0, 0.0), (1, 1.0, 0.0))),
        (16, 0, ((12, 1.0, 0.0), (4, 1.0, 0.0))),
        (16, 1, ((1, 1.0, 0.5), (1, 1.0, 0.5))),
        (64, 8, ((6, 1.0, 1.0), (2, 1.0, 1.0))),
    ],
)
def test_engines_share_the_cluster(cpus: int, gpus: int, expected: object) -> None:
    plan = plan_replicas(cpus, gpus)
    shape = tuple((one.count, one.cpus, one.gpus) for one in (plan.policy, plan.verifier))
    assert shape == expected


def test_without_a_verifier_all_is_the_policy() -> None:
    plan = plan_replicas(4, 0, verify=False)
    assert (plan.policy.count, plan.verifier.count) == (4, 0)


@given(
    st.integers(1, 256),
    st.integers(0, 64),
    st.none() | st.integers(1, 40),
    st.none() | st.integers(1, 40),
    st.booleans(),
)
def test_nothing_is_given_twice(
    cpus: int, gpus: int, policies: int | None, verifiers: int | None, verify: bool
) -> None:
    plan = plan_replicas(cpus, gpus, policies=policies, verifiers=verifiers, verify=verify)
    both = (plan.policy, plan.verifier)
    assert sum(one.count * one.cpus for one in both) <= cpus + 1e-9
    assert sum(one.count * one.gpus for one in both) <= gpus + 1e-9
    assert plan.policy.count >= 1
    assert plan.policy.count == policies or policies is None
    assert (plan.verifier.count > 0) == verify
    assert all(one.threads == 1 for one in both)
