"""Measures in a headless Chromium how soon each page is seen, and how soon it is heard after the press of play.

Each repeat opens the pages in a new profile, from a server in a process of its own whose station is awake. The first
paint is the browser's own entry `first-contentful-paint`; the first sound is the first moment at which an analyser in
the page, asked every 4 ms, finds more than ``HEARD_DB``. Riff makes its first clip after the press of play.
"""

from __future__ import annotations

import statistics
import tempfile
import urllib.request
from typing import Any

from ..measure import report, wait_until_quiet
from ..radio.riff_view import FLAT, chromium
from ..radio.serving import lullwave

REPEATS = 5
PAGES = {"radio": "", "riff": "riff?prompt=rainy+night+piano&seed=7", "studio": "studio", "docs": "docs"}
HEARD = ("radio", "riff")  # pages with a button for play
BAR_S = 1.0
HEARD_DB = -60.0
WARM_BYTES = 100_000  # of the stream, before anything is measured

# Tells the time from the press of play to sound, from an audio element or from an audio graph.
EAR = """(() => {
  const told = (globalThis.told = { clickedMs: null, soundMs: null });
  const connect = AudioNode.prototype.connect;
  const listen = (node) => {
    const ear = new AnalyserNode(node.context, { fftSize: 256 });
    const samples = new Float32Array(256);
    connect.call(node, ear);
    const timer = setInterval(() => {
      ear.getFloatTimeDomainData(samples);
      const db = 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / 256 + 1e-20);
      if (db < HEARD_DB) return;
      told.soundMs = performance.now();
      clearInterval(timer);
    }, 4);
  };
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode) listen(this);
    return connect.call(this, to, ...more);
  };
  addEventListener('click', () => {
    if (told.clickedMs !== null) return;
    told.clickedMs = performance.now();
    const element = document.querySelector('audio.audio-stream');
    if (!element) return;
    const context = new AudioContext();
    const source = context.createMediaElementSource(element);
    listen(source);
    connect.call(source, context.destination);
  }, true);
})();""".replace("HEARD_DB", str(HEARD_DB))
PAINT = """() => new Promise((done) => new PerformanceObserver((list) => {
  for (const one of list.getEntriesByName('first-contentful-paint')) done(one.startTime);
}).observe({ type: 'paint', buffered: true }))"""
SOUND = """() => new Promise((done) => {
  const look = () => (told.soundMs === null ? setTimeout(look, 10) : done(told.soundMs - told.clickedMs));
  look();
})"""


def main() -> None:
    """Run the benchmark and print the table."""
    load = wait_until_quiet()
    times: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, lullwave(folder) as (_, port), chromium(FLAT) as browser:
        url = f"http://127.0.0.1:{port}/"
        with urllib.request.urlopen(url + "stream.mp3") as stream:
            stream.read(WARM_BYTES)
            for _ in range(REPEATS):
                for page, address in PAGES.items():
                    for what, seconds in _visit(browser, url + address, page in HEARD).items():
                        times.setdefault((page, what), []).append(seconds)
    rows = [
        {"page": page, "until": what, "median_s": statistics.median(all_s), "worst_s": max(all_s), "bar_s": BAR_S}
        for (page, what), all_s in times.items()
    ]
    report("page_speed", rows, repeats=REPEATS, other_load=round(load, 2))


def _visit(browser: Any, url: str, plays: bool) -> dict[str, float]:
    """Seconds from the address to the first paint, and from the press of play to sound."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    try:
        page = context.new_page()
        page.add_init_script(EAR)
        page.goto(url)
        seconds = {"first paint": page.evaluate(PAINT) / 1000}
        if plays:
            page.get_by_role("button", name="Play", exact=True).click()
            seconds["first sound"] = page.evaluate(SOUND) / 1000
        return seconds
    finally:
        context.close()


if __name__ == "__main__":
    main()
