"""Ids, transitions, settings: small laws of small values."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.budget import Spend
from domain.errors import ConfigurationError
from domain.ids import ENTROPY_BYTES, call_key, derive_seed, is_id, make_id
from domain.job import FINAL, IllegalTransition, JobStatus, cancel_queued, claim, finish, release
from domain.moves import split_steps
from domain.settings import from_environment
from domain.verdict import StopReason, status_after

ENTROPY = st.binary(min_size=ENTROPY_BYTES, max_size=ENTROPY_BYTES)
TIMES = st.integers(0, 2**48 - 1)


@given(TIMES, TIMES, ENTROPY, ENTROPY)
def test_ids_sort_by_time_and_are_recognised(early: int, late: int, one: bytes, other: bytes) -> None:
    first, second = make_id("job", early, one), make_id("job", late, other)
    assert is_id("job", first)
    assert not is_id("whd", first)
    assert early >= late or first < second


@pytest.mark.parametrize("text", ["", "job_", "job_" + "u" * 26, "job_" + "0" * 25, "job_" + "0" * 26 + "'", "0" * 30])
def test_other_texts_are_no_ids(text: str) -> None:
    assert not is_id("job", text)


@given(st.integers(0, 2**63), st.integers(0, 100), st.integers(0, 100))
def test_seeds_depend_on_their_place(root: int, one: int, other: int) -> None:
    assert (derive_seed(root, "sample", one) == derive_seed(root, "sample", other)) == (one == other)
    assert 0 <= derive_seed(root, one) < 2**63


def test_call_keys_differ_in_every_part() -> None:
    base = ("j", "sample", 1, 2, "m", "p")
    others = [("k", *base[1:]), ("j", "score", *base[2:]), ("j", "sample", 2, 2, "m", "p"), (*base[:5], "q")]
    assert len({call_key(*parts) for parts in (base, *others)}) == 5  # type: ignore[arg-type]


def test_transitions() -> None:
    """The picture in domain/job.py, edge by edge: everything else is refused."""
    edges = {
        claim: {JobStatus.QUEUED, JobStatus.IN_PROGRESS},
        release: {JobStatus.IN_PROGRESS},
        cancel_queued: {JobStatus.QUEUED},
    }
    for transition, allowed in edges.items():
        for status in JobStatus:
            if status in allowed:
                assert transition(status) in JobStatus
            else:
                with pytest.raises(IllegalTransition):
                    transition(status)


@pytest.mark.parametrize("final", sorted(FINAL))
def test_only_work_in_progress_is_finished(final: JobStatus) -> None:
    assert finish(JobStatus.IN_PROGRESS, final) is final
    for status in (JobStatus.QUEUED, *FINAL):
        with pytest.raises(IllegalTransition):
            finish(status, final)
    with pytest.raises(IllegalTransition):
        finish(JobStatus.IN_PROGRESS, JobStatus.QUEUED)


def test_every_stop_reason_ends_a_job() -> None:
    assert {status_after(reason) for reason in StopReason} == FINAL


@given(st.builds(Spend), st.builds(Spend))
def test_spend_adds_up(one: Spend, other: Spend) -> None:
    total = one + other
    assert total.tokens == one.tokens + other.tokens
    assert (total.rollouts, total.verifier_calls) == (
        one.rollouts + other.rollouts,
        one.verifier_calls + other.verifier_calls,
    )


@pytest.mark.parametrize(
    ("text", "steps"), [("a\n\nb", ("a", "b")), ("a\n\n\n\nb\n\n", ("a", "b")), ("", ()), ("a\nb", ("a\nb",))]
)
def test_steps(text: str, steps: tuple[str, ...]) -> None:
    assert tuple(step.strip("\n") for step in split_steps(text)) == steps


def test_settings_from_the_environment() -> None:
    env = {
        "DELIBERATE_HOME": "/tmp/x",
        "DELIBERATE_PORT": "9000",
        "DELIBERATE_API_KEYS": "a, b,",
        "DELIBERATE_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8,::1/128",
        "DELIBERATE_POLICY": "",
    }
    settings = from_environment(env)
    assert (settings.port, settings.api_keys) == (9000, ("a", "b"))
    assert ipaddress.ip_address("127.0.0.1") in settings.webhook_allowed_networks[0]
    assert settings.policy.endswith("policy")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "eighty"), ("PORT", "70000"), ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/99"), ("LEASE_S", "-1")],
)
def test_bad_settings_name_their_variable_and_keep_their_value_secret(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"DELIBERATE_{name}") as caught:
        from_environment({f"DELIBERATE_{name}": value})
    assert value not in caught.value.message
