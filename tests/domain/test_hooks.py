"""Webhook event types, estimates and times: values and their laws."""

from __future__ import annotations

import pytest

from api.times import parse_time
from domain.errors import InvalidRequest
from domain.estimating import Estimate, Pace, estimate_queued, estimate_running
from domain.job import FINAL, JobStatus
from domain.webhook_events import (
    EVENT_TYPES,
    Announces,
    event_of,
    object_of,
    parse_endpoint_events,
    parse_job_events,
)

PACE = Pace(ended=10, window_s=100.0, run_s=20.0)
NONE = Pace(ended=2, window_s=100.0, run_s=20.0)


def test_every_end_of_a_job_or_a_response_has_a_type_and_nothing_else_has() -> None:
    for status in JobStatus:
        for announces in (Announces.JOB, Announces.RESPONSE):
            event = event_of(announces, status)
            assert (event in EVENT_TYPES) == (status in FINAL)
            assert (event is None) == (status not in FINAL)
        for announces in (Announces.NOTHING, Announces.BATCH):
            assert event_of(announces, status) is None


def test_a_response_has_its_jobs_id_under_its_own_prefix() -> None:
    assert object_of(Announces.RESPONSE, "job_01abc") == "resp_01abc"
    assert object_of(Announces.JOB, "job_01abc") == "job_01abc"


def test_types_come_once_and_in_our_order() -> None:
    assert parse_endpoint_events(["batch.failed", "response.failed", "batch.failed"]) == (
        "response.failed",
        "batch.failed",
    )
    assert parse_job_events(None) is None
    with pytest.raises(InvalidRequest):
        parse_job_events(["batch.failed"])


def test_the_queue_moves_as_fast_as_jobs_ended_lately() -> None:
    assert estimate_queued(1000.0, 5, PACE, None) == Estimate(1050.0, 1070.0)
    assert estimate_queued(1000.0, 0, PACE, 1010.0) == Estimate(1000.0, 1010.0)
    assert estimate_queued(1000.0, 5, NONE, None) == Estimate(None, None)


def test_a_running_job_ends_as_others_do_and_never_after_its_ceilings() -> None:
    assert estimate_running(1010.0, 1000.0, None, PACE, None) == Estimate(1000.0, 1020.0)
    assert estimate_running(1010.0, 1000.0, 15.0, PACE, None) == Estimate(1000.0, 1015.0)
    assert estimate_running(1010.0, 1000.0, 15.0, PACE, 1012.0) == Estimate(1000.0, 1012.0)
    assert estimate_running(1030.0, 1000.0, None, PACE, None) == Estimate(1000.0, None), "it takes longer than others"
    assert estimate_running(1010.0, 1000.0, None, NONE, 1100.0) == Estimate(1000.0, 1100.0)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (0, 0.0),
        (1_763_640_000.5, 1_763_640_000.5),
        ("1763640000", 1_763_640_000.0),
        ("2025-11-20T12:00:00Z", 1_763_640_000.0),
        ("2025-11-20T13:00:00+01:00", 1_763_640_000.0),
    ],
)
def test_times_are_unix_seconds_or_rfc_3339(given: object, seconds: float) -> None:
    assert parse_time(given, "at") == seconds


@pytest.mark.parametrize(
    "given", [None, True, -1, "", "soon", "2025-11-20", "2025-11-20T12:00:00", "1e9", 1e300, "9" * 50, [], "٣"]
)
def test_what_is_no_time_is_refused(given: object) -> None:
    with pytest.raises(InvalidRequest):
        parse_time(given, "at")
