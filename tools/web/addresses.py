"""Which addresses may be connected to: a URL is read strictly, its host resolved once, the answer judged.

Nothing is sent from here. What a name resolves to later does not matter: the connection goes to the address judged.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Resolver = Callable[..., Sequence[Any]]  # as socket.getaddrinfo

PORTS = {"http": 80, "https": 443}
# Clouds hand out credentials here. Link-local addresses are refused as such; these two lie elsewhere.
_METADATA = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
_NAT64 = ip_network("64:ff9b::/96")
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_])?\Z")
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|\d+)\Z")


class Forbidden(Exception):
    """An address that is not connected to, and why, in words."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: nothing but this scheme, host and port. `path` is what every request starts with."""

    scheme: str
    host: str  # ASCII, lower case; an IPv6 address without brackets
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def read_place(url: str) -> Place:
    """The place of an http or https URL. Raises Forbidden for what two readers could understand differently."""
    if re.search(r"[\s\x00-\x1f\x7f\\]", url):
        raise Forbidden(f"{url!r}: blanks, control characters and backslashes do not belong in a URL")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Forbidden(f"{url!r}: {error}") from None
    if parts.scheme not in PORTS:
        raise Forbidden(f"{url!r}: only http and https are spoken, not {parts.scheme or 'nothing'}://")
    if "@" in parts.netloc:
        raise Forbidden("a URL must not carry a user or password; name a token_file or password_file instead")
    if port == 0:
        raise Forbidden(f"{url!r}: port 0 is no port")
    return Place(parts.scheme, _host(url, parts.hostname or ""), port or PORTS[parts.scheme], parts.path.rstrip("/"))


def _host(url: str, raw: str) -> str:
    if not raw:
        raise Forbidden(f"{url!r}: it names no host")
    if ":" in raw:
        try:
            return str(IPv6Address(raw))
        except ValueError:
            raise Forbidden(f"{url!r}: {raw!r} is no IPv6 address") from None
    try:
        host = raw.encode("idna").decode().lower()
    except UnicodeError:
        raise Forbidden(f"{url!r}: {raw!r} is no host name") from None
    if not raw.isascii() and not any(label.startswith("xn--") for label in host.split(".")):
        raise Forbidden(f"{url!r}: {raw!r} only looks like {host!r}; write that")
    if not _HOST.match(host) or ".." in host:
        raise Forbidden(f"{url!r}: {raw!r} is no host name")
    if _NUMBER.match(host.rsplit(".", 1)[-1]):
        try:
            return str(IPv4Address(host))
        except ValueError:  # 2130706433, 0x7f.1 and 0177.0.0.1 are other spellings of 127.0.0.1
            raise Forbidden(f"{url!r}: write an IPv4 address as four decimal numbers") from None
    return host


def resolve(place: Place, private: bool, resolver: Resolver = socket.getaddrinfo) -> Address:
    """The one address to connect to. `private`: the operator has listed this host, so it may be inside the network.

    Raises Forbidden where any address of the name is one that must not be asked, and OSError where there is none.
    """
    found = resolver(place.host, place.port, type=socket.SOCK_STREAM)
    addresses = [ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
    for address in addresses:
        if why := _objection(address, private):
            raise Forbidden(f"{place.host} is {address}, {why}")
    if not addresses:
        raise OSError(f"{place.host} has no address")
    return addresses[0]


def _objection(address: Address, private: bool) -> str:
    inner = _inner(address)
    if inner in _METADATA or inner.is_link_local:
        return "a link-local or metadata address, which is never asked"
    if inner.is_unspecified or inner.is_multicast or (inner.is_reserved and not inner.is_loopback):
        return "no address of a server"
    if not inner.is_global and not private:
        return "inside the network, and the host is not listed"
    return ""


def _inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 one wraps (mapped, 6to4, Teredo, NAT64), or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)
