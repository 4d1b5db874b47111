"""Both dialects of one URL."""

import pytest

from messaging.celery_app import make_app
from messaging.redis_url import broker_url, connect


@pytest.mark.parametrize(
    ("setting", "broker"),
    [
        ("redis://:pw@127.0.0.1:6379/0", "redis://:pw@127.0.0.1:6379/0"),
        ("rediss://h/1", "rediss://h/1"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock"),
        ("redis+socket:///run/redis.sock", "redis+socket:///run/redis.sock"),
    ],
)
def test_kombu_reads_what_redis_py_reads(setting: str, broker: str) -> None:
    assert broker_url(setting) == broker
    connect(setting)


def test_the_app_is_a_doorbell_and_nothing_more() -> None:
    conf = make_app("redis://127.0.0.1:1/0", "test", "some.queue").conf
    assert (conf.accept_content, conf.task_serializer) == (["json"], "json")
    assert conf.result_backend is None
    for switch in ("task_acks_late", "worker_redirect_stdouts", "worker_enable_remote_control", "task_publish_retry"):
        assert conf[switch] is False
    assert conf.worker_pool == "threads"
    assert [queue.name for queue in conf.task_queues] == ["some.queue"]
