"""Host names and addresses in settings: loopback, lists of names, trusted proxies; knows nothing of HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .errors import SettingsError

# What a server on loopback says at its start; the name of a setting follows.
LOOPBACK_ONLY = "Only this machine reaches it, and every program here may use it. Behind a proxy, set"
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/:?#@\[\]]+)(?::(\d{1,5}))?/?")
_IMPLIED_PORTS = {"http": "80", "https": "443"}
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address in ``text``, IPv4 where IPv6 only wraps it (``::ffff:127.0.0.1``); None: it is not one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(host: str) -> bool:
    """Tell whether ``host`` (a name or an address, IPv6 with or without brackets) is this machine's loopback."""
    host = host.lower().rstrip(".").removeprefix("[").removesuffix("]")
    if host == "localhost" or host.endswith(".localhost"):  # RFC 6761: these names are loopback always
        return True
    address = parse_ip(host)
    return address is not None and address.is_loopback


def bare_host(host: str) -> str:
    """A host as sockets take it: an IPv6 address without the brackets that it has in a URL."""
    return host.strip().removeprefix("[").removesuffix("]")


def origins(text: str) -> str:
    """The origins of a setting that separates them by commas, spelled as browsers send them; ``*`` stays.

    Lower case, without a final slash and without the port that the scheme implies (RFC 6454, section 6.2).

    Raises:
        SettingsError: an entry is not an origin.
    """
    found = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        match = _ORIGIN.fullmatch(entry.lower())
        if match is not None:
            scheme, host, port = match.groups()
            found.append(f"{scheme}://{host}" + (f":{port}" if port and port != _IMPLIED_PORTS.get(scheme) else ""))
        elif entry == "*":
            found.append(entry)
        else:
            raise SettingsError("allowed_origins", entry, "origins such as https://radio.example, or *")
    return ",".join(found)


def is_public(host: str, allowed_hosts: str, trusted_proxies: str) -> bool:
    """Tell whether others than this machine reach a server with these settings, by itself or through a proxy.

    A name in ``allowed_hosts`` other than loopback counts: only other machines call the server by it.
    """
    named = host_names(allowed_hosts, "allowed_hosts")
    return not is_loopback(host) or not all(map(is_loopback, named)) or bool(trusted_proxies.strip())


def host_of(header: str) -> str:
    """The host in a ``Host`` header or a setting: lower case, without port, brackets and final dot."""
    host = header.strip().lower()
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host.rstrip(".")


def host_names(text: str, setting: str) -> frozenset[str]:
    """The host names of a setting that separates them by commas, as browsers send them (``münchen`` → ``xn--…``).

    Raises:
        SettingsError: an entry is not a host name or an address; ``setting`` is named.
    """
    return frozenset(_host_name(part, setting) for part in _parts(text))


def _host_name(part: str, setting: str) -> str:
    bare = part.removeprefix("[").removesuffix("]") if part.startswith("[") else part
    if (address := parse_ip(bare)) is not None:
        return str(address)
    try:
        name = part.lower().rstrip(".").encode("idna").decode()
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        allowed = "host names or addresses, separated by commas, without scheme, port or path: radio.example.com"
        raise SettingsError(setting, part, allowed)
    return name


@dataclass(frozen=True)
class TrustedProxies:
    """The addresses whose ``X-Forwarded-*`` headers are believed. Immutable, so thread-safe."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    everyone: bool = False  # the setting is ``*``

    @classmethod
    def parse(cls, text: str, setting: str = "trusted_proxies") -> TrustedProxies:
        """The proxies of a setting: addresses and networks separated by commas, or ``*``.

        Raises:
            SettingsError: an entry is neither, such as a host name; ``setting`` is named.
        """
        parts = _parts(text)
        if not parts and text.strip():
            raise _not_a_proxy(text, setting)
        networks = []
        for part in parts:
            if part == "*":
                continue
            try:
                networks.append(ip_network(part.removeprefix("[").removesuffix("]")))
            except ValueError:
                raise _not_a_proxy(part, setting) from None
        return cls(tuple(networks), "*" in parts)

    def __bool__(self) -> bool:
        return self.everyone or bool(self.networks)

    def __contains__(self, host: str) -> bool:
        address = parse_ip(host)
        if address is None:
            return self.everyone
        return self.everyone or any(address in network for network in self.networks)


NO_PROXIES = TrustedProxies()


def _not_a_proxy(value: str, setting: str) -> SettingsError:
    allowed = "IP addresses and networks separated by commas, such as 127.0.0.1 or 10.0.0.0/8, or * for all"
    return SettingsError(setting, value, allowed)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
