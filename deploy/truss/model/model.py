"""Riffusion as a Truss: ``load`` once, then ``predict`` takes and returns what Riffusion's server did."""

from __future__ import annotations

from typing import Any

import lullwave
from lullwave.engines.riffusion import legacy_api
from lullwave.errors import LullwaveError


class Model:
    """The class that Truss instantiates; it passes the configuration by name."""

    def __init__(self, **given: Any) -> None:
        said = given.get("config", {}).get("model_metadata", {})
        self._options = {name: said[name] for name in ("checkpoint", "device", "lora") if name in said}
        self._engine: Any = None

    def load(self) -> None:
        """Load the checkpoint, or download it first."""
        self._engine = lullwave.load_engine("riffusion", **self._options)

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """Make one clip. A request in ``worklet_input``, as in Baseten's first API, is answered in ``output``."""
        wrapped = isinstance(request.get("worklet_input"), dict)
        try:
            clip = legacy_api.parse(request["worklet_input"] if wrapped else request)
            made = legacy_api.reply(self._engine, clip, self._engine.submit(clip).result.result())
        except LullwaveError as error:
            return {"error": str(error)}
        return {"output": made} if wrapped else made
