"""One attempt over a real socket: what is signed, what counts as success, and which addresses are never dialled."""

import asyncio
import base64
import gc
import time
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from messaging.addresses import Address
from messaging.webhooks import LONGEST_RESPONSE, WebhookSender, retry_after
from tests.support.receiver import Receiver

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
LOOPBACK = (ip_network("127.0.0.0/8"),)
BODY = '{"type":"job.completed","data":{"answer":"π ≈ 3"}}'.encode()


async def send(sender: WebhookSender, url: str, id: str = "whd_1"):  # type: ignore[no-untyped-def]
    return await sender.send(id=id, url=url, body=BODY, secret=SECRET)


async def test_the_receiver_can_verify_the_exact_bytes(receiver: Receiver) -> None:
    attempt = await send(WebhookSender(LOOPBACK), receiver.url)
    assert (attempt.status_code, attempt.error) == (200, None)
    (got,) = receiver.received
    assert got.line == "POST /hook?key=value HTTP/1.1"
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert got.headers["content-type"] == "application/json"
    assert got.body == BODY
    assert Webhook(SECRET).verify(got.body, got.headers)["type"] == "job.completed"
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(got.body + b" ", got.headers, json_parse=False)


async def test_the_id_stays_and_the_timestamp_is_the_attempts(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    import messaging.webhooks as module

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):  # type: ignore[no-untyped-def, override]
            return datetime.fromtimestamp(time.time() + 60, UTC)

    sender = WebhookSender(LOOPBACK)
    await send(sender, receiver.url)
    monkeypatch.setattr(module, "datetime", Later)
    await send(sender, receiver.url)
    first, second = (got.headers for got in receiver.received)
    assert first["webhook-id"] == second["webhook-id"] == "whd_1"
    assert 55 <= int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) <= 65
    assert first["webhook-signature"] != second["webhook-signature"]
    Webhook(SECRET).verify(BODY, second)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_fail_and_are_not_followed(receiver: Receiver, status: int) -> None:
    location = f"http://127.0.0.1:{receiver.port}/elsewhere"
    receiver.answer = f"HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
    attempt = await send(WebhookSender(LOOPBACK), receiver.url)
    assert (attempt.status_code, attempt.error) == (status, f"the receiver answered {status}")
    assert len(receiver.received) == 1


async def test_refusals_carry_their_retry_after(receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 503 X\r\nRetry-After: 120\r\ncontent-length: 0\r\n\r\n"
    attempt = await send(WebhookSender(LOOPBACK), receiver.url)
    assert (attempt.status_code, attempt.retry_after_s) == (503, 120.0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (b"7", 7.0),
        (b"Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
        (b"Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        (b"", None),
        (b"soon", None),
        (b"-5", None),
        (b"1.5", None),
        ("٣".encode(), None),
        (b"Fri, 99 Nov 99999 11:00:00 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: bytes, seconds: float | None) -> None:
    assert retry_after(header, datetime(2026, 11, 20, 12, 0, tzinfo=UTC)) == seconds


async def test_silence_ends_with_the_timeout(receiver: Receiver) -> None:
    receiver.answer = None
    started = time.monotonic()
    attempt = await send(WebhookSender(LOOPBACK, timeout_s=0.3), receiver.url)
    assert (attempt.status_code, attempt.error) == (None, "no answer within 0.3 s")
    assert time.monotonic() - started < 2


async def test_an_endless_body_is_cut_and_the_status_counts(receiver: Receiver) -> None:
    receiver.answer = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (20 * LONGEST_RESPONSE)
    assert (await send(WebhookSender(LOOPBACK), receiver.url)).status_code == 200


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200"])
async def test_broken_answers_are_failures(receiver: Receiver, answer: bytes) -> None:
    receiver.answer = answer
    attempt = await send(WebhookSender(LOOPBACK), receiver.url)
    assert attempt.status_code is None
    assert (attempt.error or "").startswith("connection failed")


async def test_nobody_there_is_a_failure(unused_tcp_port: int) -> None:
    attempt = await send(WebhookSender(LOOPBACK), f"http://127.0.0.1:{unused_tcp_port}/")
    assert attempt.error == "connection failed (ConnectError)"


async def test_tls_is_checked(receiver: Receiver) -> None:
    """Plain HTTP never answers a handshake; the socket is closed all the same (an open one would be a warning)."""
    attempt = await send(WebhookSender(LOOPBACK, timeout_s=0.3), receiver.url.replace("http:", "https:"))
    assert attempt.status_code is None
    assert receiver.received == []
    gc.collect()


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await send(WebhookSender(LOOPBACK), receiver.url)).status_code == 200


class Resolver:
    """Answers with these addresses, one list per question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[Address]:
        self.asked.append(host)
        return [ip_address(text) for text in self.answers[min(len(self.asked), len(self.answers)) - 1]]


REFUSED = "the name leads to a private or reserved address"


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["::1"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["93.184.216.34", "127.0.0.1"],
        ["127.0.0.1", "93.184.216.34"],
    ],
)
async def test_a_name_with_any_closed_address_is_refused(receiver: Receiver, addresses: list[str]) -> None:
    sender = WebhookSender((), Resolver(addresses))
    attempt = await send(sender, f"http://hooks.example.com:{receiver.port}/")
    assert (attempt.status_code, attempt.error) == (None, REFUSED)
    assert receiver.received == []


async def test_rebinding_gains_nothing(receiver: Receiver) -> None:
    """The first answer is allowed and dialled; the second, closed one is never asked for by the same attempt."""
    resolver = Resolver(["127.0.0.1"], ["10.0.0.1"])
    sender = WebhookSender(LOOPBACK, resolver)
    url = f"http://rebind.example.com:{receiver.port}/"
    assert (await send(sender, url)).status_code == 200
    assert receiver.received[0].headers["host"] == f"rebind.example.com:{receiver.port}"
    assert resolver.asked == ["rebind.example.com"]
    assert (await send(sender, url)).error == REFUSED
    assert len(receiver.received) == 1


async def test_the_dialled_address_is_the_checked_one(receiver: Receiver) -> None:
    """A name that the system resolves to nothing reaches the receiver all the same: only our resolver was asked."""
    sender = WebhookSender(LOOPBACK, Resolver(["127.0.0.2", "127.0.0.1"]))
    attempt = await send(sender, f"http://does-not-exist.invalid:{receiver.port}/")
    assert attempt.status_code == 200


async def test_a_resolver_that_hangs_costs_the_timeout(receiver: Receiver) -> None:
    async def hang(host: str, port: int) -> list[Address]:
        await asyncio.sleep(60)
        raise AssertionError

    attempt = await send(WebhookSender(LOOPBACK, hang, timeout_s=0.2), f"http://x.example.com:{receiver.port}/")
    assert attempt.error == "no answer within 0.2 s"


async def test_a_name_without_address_is_a_failure() -> None:
    async def unknown(host: str, port: int) -> list[Address]:
        raise OSError

    assert (await send(WebhookSender((), unknown), "http://x.example.com/")).error == "connection failed (ConnectError)"
    assert (await send(WebhookSender((), Resolver([])), "http://x.example.com/")).status_code is None


async def test_literal_private_addresses_are_refused_before_anything_is_dialled(receiver: Receiver) -> None:
    attempt = await send(WebhookSender(()), receiver.url)
    assert attempt.error == "webhook_url leads to a private or reserved address"
    assert receiver.received == []
