"""What the browser tests share: a server of tones, an ear in the page, and patience."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from sine_engine import SineEngine

from lullwave.server.app import create_app
from lullwave.server.engine_pool import EnginePool
from lullwave.server.process.run import Server, listening_socket
from lullwave.settings import Settings
from lullwave.settings.stations import StationSettings

STATIONS = (
    StationSettings(id="first", name="First light", prompts=("a steady tone",)),
    StationSettings(id="second", name="Second wind", prompts=("another tone",)),
)

# Taps the page's audio element, which the page itself never does, and keeps what it hears ten times a second.
EAR = """() => {
  const element = document.querySelector('audio');
  const context = new AudioContext();
  const analyser = new AnalyserNode(context, { fftSize: 8192 });
  context.createMediaElementSource(element).connect(analyser).connect(context.destination);
  const samples = new Float32Array(analyser.fftSize);
  const spectrum = new Float32Array(analyser.frequencyBinCount);
  window.ear = { heard: [], levelDb: -200, at(hz) {
    analyser.getFloatFrequencyData(spectrum);
    return spectrum[Math.round((hz * analyser.fftSize) / context.sampleRate)];
  } };
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, x) => sum + x * x, 0) / samples.length;
    ear.levelDb = 10 * Math.log10(power + 1e-20);
    ear.heard.push({ levelDb: ear.levelDb, time: element.currentTime,
                     title: document.querySelector('.now-playing .title').textContent });
  }, 100);
}"""


class Radio:
    """A server of its own, with tones for music: a piece every twenty seconds. ``around`` may wrap the application."""

    def __init__(
        self,
        data_dir: Path,
        port: int = 0,
        engines: dict[str, Any] | None = None,
        around: Callable[[Any], Any] = lambda app: app,
        **settings: Any,
    ) -> None:
        given = {"engine": "sines", "stations": STATIONS, "seed": 1, "max_awake": 64, **settings}
        self._settings = Settings(data_dir=data_dir, **given)
        self._bound = listening_socket("127.0.0.1", port)
        self.port: int = self._bound.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        pool = EnginePool(engines or {"sines": SineEngine, "synth": SineEngine})
        app = create_app(self._settings, pool)
        config = uvicorn.Config(around(app), log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
        self._server = Server(config, app)
        self._thread = threading.Thread(target=lambda: self._server.run([self._bound]), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._bound.close()


def until(page: Any, condition: str, timeout_s: float = 45.0) -> None:
    """Wait in the page until ``condition`` holds; the page's security policy forbids the driver's own way."""
    page.evaluate(
        f"""() => new Promise((done, fail) => {{
          const late = performance.now() + {timeout_s * 1000};
          const look = () => {{
            if ({condition}) done();
            else if (performance.now() > late) fail(new Error('in vain: ' + {condition!r}));
            else setTimeout(look, 50);
          }};
          look();
        }})"""
    )


def play(page: Any) -> None:
    """Press play and wait for the sound."""
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")


def shell_kept(page: Any, *files: str) -> None:
    """Wait until the offline shell holds what the page has loaded, and ``files`` (relative to the page)."""
    page.evaluate(
        """async (files) => {
          await navigator.serviceWorker.ready;
          const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
          const own = loaded.filter((name) => /\\/static\\/.*\\.(js|css)$/.test(name));
          const all = [...own, ...files].map((name) => new URL(name, document.baseURI));
          for (let tries = 0; ; tries += 1) {
            const kept = await Promise.all(all.map((url) => caches.match(url)));
            if (kept.every(Boolean)) return;
            if (tries > 400) throw new Error(`not kept: ${all.filter((_, at) => !kept[at])}`);
            await new Promise((done) => setTimeout(done, 100));
          }
        }""",
        list(files),
    )


def page_width(page: Any) -> int:
    """How wide the page is, in CSS pixels, two frames later: right after a change of size, it tells an old overflow."""
    width: int = page.evaluate(
        """async () => {
          for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
          return document.documentElement.scrollWidth;
        }"""
    )
    return width


def too_wide(page: Any) -> list[str]:
    """What stays wider than the page and does not scroll by itself; a page that is clipped at its edge hides it."""
    found: list[str] = page.evaluate(
        """async () => {
          const look = () => [...document.querySelectorAll('main *')]
            .filter((one) => one.checkVisibility() && !one.closest('.task-list, .easel'))
            .map((one) => [one, one.getBoundingClientRect().right])
            .filter(([, right]) => right > innerWidth + 0.5)
            .map(([one, right]) => `${one.tagName} ${one.className} ${right}`);
          for (let frame = 0; look().length && frame < 20; frame += 1) await new Promise(requestAnimationFrame);
          return look();
        }"""
    )
    return found


def violations(page: Any, within: str | None = None, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds wrong, as lines for people: once no colour is on its way to another one.

    ``within`` is a selector, None the whole page; ``rules`` are those of axe-core that are tried, empty all.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.evaluate(
        """() => {
          const ends = (one) => one.playState === 'running' && Number.isFinite(one.effect.getComputedTiming().endTime);
          return Promise.allSettled(document.getAnimations().filter(ends).map((one) => one.finished)).then(() => null);
        }"""
    )
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": rules} if rules else {})}
    found = axe.Axe().run(page, within, options).response["violations"]
    return [f"{v['id']}: {node['html'][:200]}" for v in found for node in v["nodes"]]
