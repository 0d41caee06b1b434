"""What reverse proxies say about a request: believed from trusted ones, a sign of a stranger from all others.

A trusted proxy's ``X-Forwarded-For``, ``-Proto``, ``-Host``, ``-Port`` and ``-Prefix`` replace the client, the scheme,
the host and the path prefix of the request, so that everything inside sees the request as the browser made it. From
any other peer these headers change nothing, but ``came_by_proxy`` tells the access checks that a proxy was there: on a
server that listens on loopback it means that the request comes from elsewhere.
"""

from __future__ import annotations

import logging
import re
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ...hosts import TrustedProxies, parse_ip

log = logging.getLogger(__name__)

VIA_PROXY = "lullwave.via_proxy"  # key of the scope: what shows that an untrusted proxy passed the request on
OLD_HTTP = "HTTP/1.0"  # what some proxies speak unless told otherwise; browsers and curl do not
PORTLESS = "lullwave.portless"  # key of the scope: a trusted proxy named the host and left its port open
# Headers that proxies, tunnels and content networks add; the first also as a prefix.
_PREFIX = b"x-forwarded"
_TRACES = frozenset(
    name.encode()
    for name in (
        "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for",
        "x-original-host", "true-client-ip", "cf-connecting-ip", "cf-ray", "cdn-loop", "fastly-client-ip",
        "fly-client-ip", "x-envoy-external-address", "x-proxyuser-ip", "x-arr-log-id", "x-azure-clientip",
        "x-amzn-trace-id", "x-appengine-user-ip", "tailscale-user-login",
    )
)  # fmt: skip
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[\w.-]{1,253})(:\d{1,5})?", re.ASCII)
_PATH = re.compile(r"(/[\w.~!$&'()*+,;=:@%-]+)*", re.ASCII)
_SCHEMES = {"http": False, "https": True, "ws": False, "wss": True}  # X-Forwarded-Proto: whether it is TLS
_LISTENING = (".mp3", ".m3u", ".m3u8", ".m4s", ".pls", ".xsl")  # ends of the paths that players ask for
_DEFAULT_PORTS = frozenset({"80", "443"})
MAX_NAMED = 8  # untrusted proxies that the log names; more would be a way to fill it


def came_by_proxy(scope: Scope) -> str:
    """What shows that an untrusted proxy passed the request on, for messages; empty if nothing does."""
    found: str = scope.get(VIA_PROXY, "")
    return found


class Forwarded:
    """The outermost middleware. Event loop only, for the addresses that it has named in the log.

    ``prefix`` is the path prefix under which a proxy serves the application: it is removed from paths that still have
    it, and passed on as ``root_path``. ``X-Forwarded-Prefix`` of a trusted proxy goes before it.
    """

    def __init__(self, app: ASGIApp, trusted: TrustedProxies, prefix: str = "") -> None:
        self._app = app
        self._trusted = trusted
        self._prefix = prefix
        self._named: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = self._seen(scope)
        await self._app(scope, receive, send)

    def _seen(self, scope: Scope) -> Scope:
        """The scope with what a trusted proxy says, or with the trace of an untrusted one; the prefix is removed."""
        prefix = self._prefix
        peer = scope["client"][0] if scope.get("client") else ""
        if peer in self._trusted:
            scope = dict(scope)
            prefix = self._believe(scope) or prefix
        elif trace := _trace(scope):
            scope = {**scope, VIA_PROXY: trace}
            if trace != OLD_HTTP or not scope["path"].endswith(_LISTENING):  # old players speak HTTP/1.0 as well
                self._name(peer, trace)
        if not prefix:
            return scope
        path = scope["path"]
        if path.startswith(prefix + "/"):  # the proxy did not remove it
            path = path.removeprefix(prefix)
        return {**scope, "path": path, "root_path": prefix}

    def _believe(self, scope: Scope) -> str:
        """Write what the headers of trusted proxies say into ``scope``; returns their path prefix."""
        headers = Headers(scope=scope)
        client, hops = self._client(_values(headers, "x-forwarded-for"))
        if client is not None:
            scope["client"] = (client, 0)
        proto, port = (_value(headers, name, hops) for name in ("x-forwarded-proto", "x-forwarded-port"))
        secure = _SCHEMES.get(proto.lower(), True if not proto and port == "443" else None)
        if secure is not None:
            scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + "s" * secure
        said = _value(headers, "x-forwarded-host", hops)
        host = said if _HOST.fullmatch(said) else headers.get("host", "")
        bare = host.endswith("]") or ":" not in host
        scope[PORTLESS] = bare
        if bare and host and port.isdigit() and len(port) <= 5 and port not in _DEFAULT_PORTS:
            host = f"{host}:{port}"
        if host != headers.get("host"):
            others = [pair for pair in scope["headers"] if pair[0] != b"host"]
            scope["headers"] = [*others, (b"host", host.encode("latin-1"))]
        path = _value(headers, "x-forwarded-prefix", hops).rstrip("/")
        return path if _PATH.fullmatch(path) else ""

    def _client(self, chain: list[str]) -> tuple[str | None, int]:
        """The client behind the trusted proxies, None if they do not tell, and how many of them spoke.

        Each proxy adds the address from which it was asked to the end of the header.
        """
        if self._trusted.everyone:  # each proxy is taken at its word
            return (_address(chain[0]) if chain else None), max(1, len(chain))
        client = None
        for hops, entry in enumerate(reversed(chain), 1):
            address = _address(entry)
            if address is None:
                return client, hops
            client = address
            if client not in self._trusted:
                return client, hops
        return client, max(1, len(chain))

    def _name(self, peer: str, trace: str) -> None:
        """Log once for each local peer that it is a proxy which the settings do not name."""
        address = parse_ip(peer)
        local = address is not None and (address.is_loopback or (address.is_private and trace != OLD_HTTP))
        if local and peer not in self._named and len(self._named) < MAX_NAMED:
            self._named.add(peer)
            log.warning(
                "%s passes requests of others on (%s), and trusted_proxies does not name it: such requests need the "
                "token, and limits count them as one address. If this is your proxy, set trusted_proxies to %s",
                peer,
                trace,
                peer,
            )


def _trace(scope: Scope) -> str:
    """The first sign that a proxy passed the request on; empty if there is none."""
    for raw, _ in scope["headers"]:
        name = raw.lower()
        if name in _TRACES or name.startswith(_PREFIX):
            return f"header {name.decode('latin-1')}"
    return OLD_HTTP if scope.get("http_version") in ("1.0", "0.9") else ""


def _values(headers: Headers, name: str) -> list[str]:
    """The comma-separated values of all headers of a name."""
    return [part.strip() for part in ",".join(headers.getlist(name)).split(",") if part.strip()]


def _value(headers: Headers, name: str, hops: int) -> str:
    """What the outermost of ``hops`` trusted proxies said: each adds to the end, or replaces the whole."""
    values = _values(headers, name)
    return values[-min(hops, len(values))] if values else ""


def _address(entry: str) -> str | None:
    """The IP address of an entry of ``X-Forwarded-For``, without brackets and port."""
    entry = entry.strip('" ')
    if entry.startswith("["):
        entry = entry[1:].partition("]")[0]
    elif entry.count(":") == 1:
        entry = entry.partition(":")[0]
    try:
        return str(parse_ip(entry) or ip_address(entry))
    except ValueError:
        return None
