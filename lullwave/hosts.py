"""Host names and addresses: loopback, names in settings, trusted proxies, what limits count; knows nothing of HTTP."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from .errors import SettingsError

# What a server on loopback says at its start; the name of a setting follows.
LOOPBACK_ONLY = "Only this machine reaches it, and every program here may use it. Behind a proxy, set"
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[^\s/:?#@\[\]]+)(?::(\d{1,5}))?/?")
_IMPLIED_PORTS = {"http": "80", "https": "443"}
CUSTOMER_BITS = 64  # of an IPv6 address: one client has all addresses behind them, and often more (RFC 6177)
_NAT64 = IPv6Network("64:ff9b::/96")  # IPv4 addresses that a translator wrote as IPv6 (RFC 6052)
_WRAPPED_BITS = 96  # before an IPv4 address in an IPv6 address
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")


def parse_ip(text: str) -> IPv4Address | IPv6Address | None:
    """The IP address in ``text``, IPv4 where IPv6 only wraps it (``::ffff:127.0.0.1``); None: it is not one."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


@lru_cache(4096)
def limit_key(host: str) -> str:
    """A client's address as limits count it: IPv4 whole, IPv6 by its first ``CUSTOMER_BITS``, as ``2001:db8::/64``.

    A text that is not an address counts as it is.
    """
    address = parse_ip(host)
    return host if address is None else network_text(_limit_network(address))


def client_network(text: str) -> IPv4Network | IPv6Network | None:
    """The addresses that ``text`` names: a network, or all that limits count as the one address; None: it is neither.

    A network must have no bits behind its prefix (``10.0.0.0/8``, not ``10.0.0.1/8``).
    """
    text = text.strip()
    try:
        if "/" not in text:
            return _limit_network(ip_address(text.removeprefix("[").removesuffix("]")))
        network = ip_network(text)
    except ValueError:
        return None
    return _unwrapped(network, _as_ipv4(network.network_address))


def holds(network: IPv4Network | IPv6Network, host: str) -> bool:
    """Tell whether a client's address is in a network that ``client_network`` returned."""
    address = parse_ip(host)
    return address is not None and (_as_ipv4(address) or address) in network


def covers(network: IPv4Network | IPv6Network, inner: IPv4Network | IPv6Network) -> bool:
    """Tell whether all addresses of ``inner`` are in ``network``."""
    return network.prefixlen <= inner.prefixlen and inner.network_address in network


def network_text(network: IPv4Network | IPv6Network) -> str:
    """A network for messages; one of a single address as that address."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def _limit_network(address: IPv4Address | IPv6Address) -> IPv4Network | IPv6Network:
    if (ipv4 := _as_ipv4(address)) is not None:
        return IPv4Network(ipv4)
    # hosts of one link share the prefix of its link-local addresses
    bits = 128 if address.is_loopback or address.is_link_local else CUSTOMER_BITS
    return IPv6Network((int(address), bits), strict=False)


def _as_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    """An IPv4 address, also one in an IPv6 address, mapped or by a translator; None: there is none."""
    if isinstance(address, IPv4Address):
        return address
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else address.ipv4_mapped


def _unwrapped(network: IPv4Network | IPv6Network, inner: IPv4Address | None) -> IPv4Network | IPv6Network:
    """A network as IPv4 where its first address wraps ``inner``, and the others wrap IPv4 addresses too."""
    if inner is None or network.prefixlen < _WRAPPED_BITS:
        return network
    return IPv4Network((int(inner), network.prefixlen - _WRAPPED_BITS))


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

        IPv4 written as IPv6 counts as IPv4: ``::ffff:10.0.0.0/104`` is ``10.0.0.0/8``.

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
                network = ip_network(part.removeprefix("[").removesuffix("]"))
            except ValueError:
                raise _not_a_proxy(part, setting) from None
            # as ``parse_ip`` reads the addresses of clients
            mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
            networks.append(_unwrapped(network, mapped))
        return cls(tuple(networks), "*" in parts)

    def __bool__(self) -> bool:
        return self.everyone or bool(self.networks)

    def __contains__(self, host: str) -> bool:
        if not self.networks:  # nothing to compare: this is asked of every request
            return self.everyone
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
