"""Riffusion as a Truss: ``load`` once, then ``predict`` takes the old request and gives the old reply."""

from __future__ import annotations

from typing import Any

import lullwave
from lullwave.engines.riffusion import legacy_api as inference
from lullwave.errors import LullwaveError


class Model:
    """What Truss makes an object of; it hands over the configuration by name."""

    def __init__(self, **given: Any) -> None:
        said = given.get("config", {}).get("model_metadata", {})
        self._options = {name: said[name] for name in ("checkpoint", "device", "lora") if name in said}
        self._engine: Any = None

    def load(self) -> None:
        """Load the checkpoint, or download it first."""
        self._engine = lullwave.load_engine("riffusion", **self._options)

    def predict(self, request: dict[str, Any]) -> dict[str, Any]:
        """One clip. In Baseten's first form, ``worklet_input`` around the request, the reply is wrapped too."""
        wrapped = isinstance(request.get("worklet_input"), dict)
        try:
            wish = inference.parse(request["worklet_input"] if wrapped else request)
            made = inference.reply(self._engine, self._engine.submit(wish).result.result())
        except LullwaveError as error:
            return {"error": str(error)}
        return {"output": made} if wrapped else made
