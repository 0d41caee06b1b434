"""Server-sent events (WHATWG HTML, 9.2): headers that proxies respect, the framing, and how often to say something."""

from __future__ import annotations

import json

HEARTBEAT_S = 4.0  # seconds of silence after which something is sent: proxies close silent connections after 10 s
HEARTBEAT = ": still here\n\n"
MEDIA_TYPE = "text/event-stream"
HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx passes events on at once
    "Content-Encoding": "identity",  # a proxy that compresses would hold events back until its block is full
}


def framed(kind: str, data: object) -> str:
    """One event."""
    return f"event: {kind}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
