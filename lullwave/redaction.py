"""Hides secrets in texts that others read: messages, replies, logs.

An address may carry a token (``ws://host:8001/?token=…``) or a password (``wss://name:password@host``).
"""

from __future__ import annotations

import logging
import re
import sys

_HIDDEN = "…"
_ADDRESS = re.compile(r"(\w://)([^\s'\"]+)")  # ws://name:password@host
_LOGIN = re.compile(r"(?<![\w/.:])([A-Za-z][\w.+-]{0,63}:)(?!//)[^\s'\"]{1,256}@(?=[\w\[])")  # name:password@host
_QUERY = re.compile(r"(\w://[^\s?#'\"]*)[?#][^\s'\",;)\]}]*")  # ws://host/?token=…
_NAMED = re.compile(
    r"(?i)((?:token|secret|password|passwd|api[_-]?key|access[_-]?key|signature)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s\"'&;,)\]}]+"
)
_BEARER = re.compile(r"(?i)\b((?:bearer|basic|authorization:\s*key)\s+)[\w.~+/=:-]{6,}")
_SECRET_NAME = re.compile(r"(?i)token|secret|passw|key|tokn|credential")
# These libraries log whole requests, with their headers, at the level debug.
_TALKATIVE = ("websockets", "httpx", "httpcore", "hpack", "urllib3")


def redacted(text: str) -> str:
    """``text`` without passwords and queries of addresses, values of names such as ``token``, and bearer tokens."""
    text = _ADDRESS.sub(_without_login, text)
    text = _LOGIN.sub(rf"\1{_HIDDEN}@", text)
    text = _QUERY.sub(r"\1", text)
    text = _NAMED.sub(rf"\1{_HIDDEN}", text)
    return _BEARER.sub(rf"\1{_HIDDEN}", text)


def _without_login(match: re.Match[str]) -> str:
    """An address without name and password; none of it where the password may have ``/``, ``?`` or ``#`` in it."""
    scheme, rest = match.groups()
    login, _, place = rest.rpartition("@")
    if not re.search("[/?#]", login):
        return f"{scheme}{place}"
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    return f"{scheme}{_HIDDEN}" if "@" in authority or ":" in authority else match[0]


def is_secret(name: str) -> bool:
    """Tell whether a setting of this name, perhaps misspelt, may hold a secret."""
    return bool(_SECRET_NAME.search(name)) and not name.endswith("_file")


class RedactingFormatter(logging.Formatter):
    """Formats records, tracebacks included, without the secrets that ``redacted`` finds. Thread-safe."""

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def log_to_stderr(level: int | str) -> None:
    """Log to stderr from ``level`` on, without secrets; a handler that is there already is kept."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.StreamHandler(sys.stderr))
    for handler in root.handlers:
        if type(handler) is logging.StreamHandler:
            handler.setFormatter(RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    root.setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))
