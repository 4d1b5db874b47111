"""Where a webhook may not go, by every way of writing it."""

from ipaddress import ip_address, ip_network

import pytest

from messaging.addresses import may_dial, url_refusal

CLOSED = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
OPEN = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450:4001::1"]


@pytest.mark.parametrize("text", CLOSED)
def test_special_addresses_are_closed(text: str) -> None:
    assert not may_dial(ip_address(text), ())


@pytest.mark.parametrize("text", OPEN)
def test_public_addresses_are_open(text: str) -> None:
    assert may_dial(ip_address(text), ())


@pytest.mark.parametrize(
    ("text", "network"),
    [("127.0.0.1", "127.0.0.0/8"), ("::1", "::1/128"), ("10.1.2.3", "10.0.0.0/8"), ("::ffff:10.1.2.3", "10.0.0.0/8")],
)
def test_an_operator_opens_networks_one_by_one(text: str, network: str) -> None:
    allowed = (ip_network(network),)
    assert may_dial(ip_address(text), allowed)
    assert not may_dial(ip_address("192.168.0.1"), allowed)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "/hook",
        "//example.com/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http:///hook",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "http://example.com\\@127.0.0.1/",
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://example.com/#fragment",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:port/",
        "http://[::1/",
        "http://münchen.de/",
        "http://exam%70le.com/",
        "http://localhost/",
        "http://LOCALHOST.:8080/",
        "http://api.localhost/",
        "http://metadata.google.internal/",
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://example.com/" + "a" * 2048,
    ],
)
def test_urls_refused_by_their_text(url: str) -> None:
    assert url_refusal(url, ()) is not None


@pytest.mark.parametrize(
    "url",
    ["https://example.com/hook?a=1&b=2", "http://example.com:8080", "https://xn--mnchen-3ya.de/", "https://8.8.8.8/x"],
)
def test_urls_that_may_be(url: str) -> None:
    assert url_refusal(url, ()) is None


def test_loopback_may_be_when_the_operator_says_so() -> None:
    allowed = (ip_network("127.0.0.0/8"),)
    assert url_refusal("http://127.0.0.1:9000/hook", allowed) is None
    assert url_refusal("http://localhost:9000/hook", allowed) is None
    assert url_refusal("http://10.0.0.1/hook", allowed) is not None
