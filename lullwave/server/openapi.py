"""Completes ``/openapi.json``: the schema of errors, the error statuses of each route, and examples."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

PROBLEM = {
    "title": "Problem",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["field", "message", "allowed"],
            "properties": {
                "field": {"type": ["string", "null"], "description": "the field that is wrong, if any"},
                "message": {"type": "string", "description": "what is wrong, in words"},
                "allowed": {"type": ["string", "null"], "description": "the allowed values, if any"},
            },
        }
    },
}
GROUPS = {
    "radio": "Listen: endless streams, the newest clip, playlists, events.",
    "stations": "What the stations play, and steering them.",
    "music": "Clips by any engine, sent while they are made.",
    "studio": "Jobs: every task of the Studio, with results that are kept for you.",
    "riffusion": "Spectrogram clips: Riffusion-compatible, and with progress.",
    "server": "Health, metrics, and what only the owner may do.",
}
WRONG = {"field": "station", "message": "no station 'attic'", "allowed": "piano, synthwave, organic, guitar, ambient"}

_NOW = {
    "title": "Wool Blanket before the Thaw",
    "tempo_bpm": 70.0,
    "metre": "4/4",
    "key": "Bb minor",
    "prompt": "mellow lo-fi with a soft felt piano",
    "frame": 656640,
    "frames": 7257600,
    "started_frame": 0,
}
_STATION = {
    "id": "piano",
    "name": "Mellow piano",
    "prompt": "mellow lo-fi with a soft felt piano",
    "engine": "synth",
    "listeners": 3,
    "state": "on air",
    "busy": False,
    "steered": False,
    "scene": {"place": "city", "time": None, "sounds": [], "mood": "sleepy"},
    "rung": "engine",
    "cause": "none",
    "wanted": "synth",
    "detail": "",
    "asked": {},
    "stretch_s": 0.0,
    "stream": "/stations/piano/stream.mp3",
    "hls": "/stations/piano/hls/index.m3u8",
    "now": _NOW,
}
_RECEIPT = {
    "prompt": "warm synthwave, no drums",
    "understood": {
        "text": "synthwave; warm; without drums",
        "data": {"styles": {"synthwave": 1.0}},
        "ignored": [],
        "suggestions": {},
    },
    "state": "turning",
    "frame": 893959,
    "heard_in_s": 2.4,
    "votes": {},
}
_PIECE = {
    "run": 2,
    "frame": 0,
    "until": 634752,
    "wall": 1738361700.0,
    "at": "2025-01-31T22:15:00.000+00:00",
    "kind": "piece",
    "title": "Wool Blanket before the Thaw",
}
REPLIES: dict[tuple[str, str], Any] = {
    ("get", "/api/stations"): {"default": "piano", "private": True, "stations": [_STATION]},
    ("get", "/api/stations/{station}"): {
        **_STATION,
        "rate": 44100,
        "frame": 656640,
        "epoch": {"frame": 0, "wall": 1738361700.0},
        "time": 1738361714.9,
        "reserve_s": 24.0,
        "policy": "everyone",
        "frozen": False,
        "next": [],
        "waiting": [{"prompt": "zen flute", "undo": False}],
        "votes": {},
        "may_steer": True,
    },
    ("get", "/api/stations/{station}/vocabulary"): {"vocabulary": {"mood": ["calm"], "weather": ["rain"]}},
    ("post", "/api/stations/{station}/prompt"): _RECEIPT,
    ("post", "/api/stations/{station}/undo"): {**_RECEIPT, "prompt": None},
    ("post", "/api/stations/{station}/own-programme"): {**_RECEIPT, "prompt": "mellow lo-fi with a soft felt piano"},
    ("get", "/api/stations/{station}/history"): {
        "station": "piano",
        "rate": 44100,
        "kept": True,
        "history": [_PIECE],
        "next": "1738361700.0_41",
    },
    ("get", "/healthz"): {"status": "ok"},
}
PARAMETERS = {"station": "piano", "listener": "0b9f2c1e", "at": "2025-01-31T22:15:00", "before": "2025-01-31T22:15:00"}

STEERING = ("/prompt", "/undo", "/own-programme")  # the ends of the paths that steer a station
_NO_STATION = "there is no station, clip, job or task of that name"
_TOKEN = "the admin token is required: `Authorization: Bearer …`"
_FOREIGN = "the page's origin or the host name is not allowed, or the admin token is required"
_BUSY = "too many requests at once; `Retry-After` tells when to try again"


def complete(app: FastAPI) -> None:
    """Make ``app`` serve the completed document; it is built at the first request."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            _complete(plain())
        return plain()

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = PROBLEM
    used = {tag for operations in document["paths"].values() for one in operations.values() for tag in one["tags"]}
    document["tags"] = [{"name": name, "description": words} for name, words in GROUPS.items() if name in used]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _one(method, path, operation)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)


def _one(method: str, path: str, operation: dict[str, Any]) -> None:
    replies = operation["responses"]
    said = {"403": _FOREIGN}
    if method not in ("get", "head"):
        said |= {"401": _TOKEN, "413": "the body is too large", "422": "a field is missing or wrong", "429": _BUSY}
    if "{" in path or any(p["name"] == "station" for p in operation.get("parameters", ())):
        said["404"] = _NO_STATION
    if path.endswith(STEERING):
        said["423"] = "the owner has frozen the steering of the station"
    if path.endswith("stream.mp3"):
        said["503"] = "the station is full, or sleeps while the machine plays as many as it can; see `Retry-After`"
    if "422" in replies:
        said["422"] = "a field is missing or wrong"
    for status, words in said.items():
        if status not in replies or status == "422":
            replies[status] = {
                "description": words,
                "content": {
                    "application/json": {
                        "schema": {"$ref": "#/components/schemas/Problem"},
                        **({"example": {"error": WRONG}} if status == "404" and "riffusion" not in path else {}),
                    }
                },
            }
    if (example := REPLIES.get((method, path))) is not None:
        replies["200"]["content"]["application/json"] = {"schema": {"type": "object"}, "example": example}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in PARAMETERS and "riffusion" not in path:
            parameter.setdefault("example", PARAMETERS[parameter["name"]])
