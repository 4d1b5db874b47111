"""Where a webhook may go. Law: what is checked is the address that is dialled, and an unknown one is refused.

Every network that the IANA special-purpose registries set apart is listed here instead of asking `ipaddress.is_global`,
whose answer differs between Python versions. For IPv6 only the global unicast space 2000::/3 is open, less its holes
that lead back into IPv4 (6to4, Teredo). The operator may open networks by DELIBERATE_WEBHOOK_ALLOWED_NETWORKS.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]

LONGEST_URL = 2048

_CLOSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, cloud metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_OPEN_V6 = IPv6Network("2000::/3")
_CLOSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, Teredo
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")
_HOST = re.compile(r"^[A-Za-z0-9._-]+$")
_URL = re.compile(r"^[\x21-\x7e]+$")


def may_dial(address: Address, allowed: Networks) -> bool:
    """Whether a connection to this address may be opened."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # The socket would reach the IPv4 host; it is judged as that one, and a public one has no reason to come so.
        return _within(address.ipv4_mapped, allowed)
    if _within(address, allowed):
        return True
    if isinstance(address, IPv4Address):
        return not _within(address, _CLOSED_V4)
    return address in _OPEN_V6 and not _within(address, _CLOSED_V6)


def url_refusal(url: str, allowed: Networks) -> str | None:
    """Why this URL can't be a webhook's, by its text alone; None when it may be. Names are checked when dialled."""
    if len(url) > LONGEST_URL:
        return f"is longer than {LONGEST_URL} characters"
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        return "must be an absolute http or https URL"
    if parts.username is not None or parts.password is not None:
        return "must not contain credentials: deliveries are signed instead"
    if parts.fragment:
        return "must not have a fragment"
    return _host_refusal(parts.hostname, allowed)


def _split(url: str) -> SplitResult | None:
    if not _URL.match(url) or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        return None if parts.port == 0 else parts
    except ValueError:
        return None


def _host_refusal(host: str, allowed: Networks) -> str | None:
    address = _literal(host)
    if address is not None:
        return None if may_dial(address, allowed) else "leads to a private or reserved address"
    if not _HOST.match(host):
        return "must be an absolute http or https URL"
    name = host.lower().rstrip(".")
    local = any(name == suffix or name.endswith("." + suffix) for suffix in _LOCAL_NAMES)
    return "leads to a private or reserved address" if local and not allowed else None


def _literal(host: str) -> Address | None:
    """The address that this host is written as, also in the forms that C libraries read (127.1, 0x7f000001)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _within(address: Address, networks: Networks) -> bool:
    return any(address.version == network.version and address in network for network in networks)
