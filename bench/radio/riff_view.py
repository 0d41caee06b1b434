"""Riff's page beside a server that is slow, fails every fifth call and changes the length of its clips.

``python -m bench.radio.riff_view`` runs ten minutes on a simulated clock and two in real time, and prints silence,
memory (measured through the browser's protocol after a garbage collection) and the time of a picture of the landscape.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from lullwave.server.app import create_app
from lullwave.server.process.run import Server, listening_socket
from lullwave.settings import Settings

from .faulty_clips import FaultyClips

GL = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]  # WebGL in software
FLAT = ["--disable-gpu"]
ARGUMENTS = ["--no-sandbox", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
WAITS_S = (2.0, 4.0, 1.5, 14.0, 3.5, 2.5)  # of answers in real time: 4.6 s on average, for clips of 5 s
SILENT_DB = -45.0  # the clips are never softer than -24
SIMULATED_WAITS_S = tuple(wait / 25 for wait in WAITS_S)  # the simulated clock goes at most 25 times as fast

EAR = """(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode && !window.heard) {
      window.heard = { softest: 0, since: null, moments: 0, run: 0, longest: 0 };
      const ear = new AnalyserNode(this.context, { fftSize: 2048 });
      const samples = new Float32Array(2048);
      connect.call(this, ear);
      setInterval(() => {
        ear.getFloatTimeDomainData(samples);
        const db = 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / 2048 + 1e-20);
        if (heard.since === null && db < -40) return;
        heard.since ??= performance.now();
        heard.moments += 1;
        heard.softest = Math.min(heard.softest, db);
      }, 20);
    }
    return connect.call(this, to, ...more);
  };
})();"""

FRAME_TIMES = """async () => {
  const { HeightField, ROWS } = await import('/static/riff/view/height-field.js');
  const { BANDS } = await import('/static/riff/view/mel-levels.js');
  const canvas = document.createElement('canvas');
  const field = HeightField(canvas);
  if (!field) return null;
  const ink = [200, 120, 90];
  field.recolour({ low: ink, middle: ink, high: ink, sky: ink, head: ink }, true);
  field.resize(427, 147); // a picture of 1280 x 441 in pixels of three
  const rows = Uint8Array.from({ length: ROWS * BANDS }, () => 255 * Math.random() ** 3);
  const times = [];
  for (let n = 0; n < 120; n += 1) {
    const from = performance.now();
    field.draw(rows, n / 120, 0.3);
    field.finish();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  return { medianMs: times[60], worstOf20Ms: times[113] };
}"""


@contextmanager
def serving(around: Callable[[Any], Any] = lambda app: app, **settings: Any) -> Iterator[str]:
    """The address of a server of this process."""
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings(data_dir=Path(folder), seed=1, **settings))
        bound = listening_socket("127.0.0.1", 0)
        config = uvicorn.Config(around(app), log_level="error", lifespan="on", timeout_graceful_shutdown=1)
        server = Server(config, app)
        thread = threading.Thread(target=lambda: server.run([bound]))
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
        finally:
            server.should_exit = True
            thread.join()
            bound.close()


@contextmanager
def chromium(arguments: list[str]) -> Iterator[Any]:
    """The installed browser, without a window."""
    from playwright.sync_api import sync_playwright

    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=ARGUMENTS + arguments)
        try:
            yield browser
        finally:
            browser.close()


def opened(browser: Any, url: str, script: str, **options: Any) -> Any:
    page = browser.new_context(**options).new_page()
    page.add_init_script(script)
    page.goto(url)
    page.get_by_role("button", name="Play", exact=True).click()
    return page


class Memory:
    """Megabytes of the page's heap, and of the buffers that it holds, after a garbage collection."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)

    def megabytes(self) -> tuple[float, float]:
        self._session.send("HeapProfiler.collectGarbage")
        told = self._session.send("Runtime.getHeapUsage")
        return round(told["usedSize"] / 1e6, 1), round(told.get("backingStorageSize", 0) / 1e6, 1)


def simulated(minutes: float) -> None:
    """Play on a simulated clock, and look at what was scheduled every 5 ms."""
    servers: list[FaultyClips] = []
    script = Path(__file__).with_name("simulated_audio.js").read_text()
    around = _keeping(servers, SIMULATED_WAITS_S)
    with serving(around, engine="synth") as url, chromium(FLAT) as browser:
        page = opened(browser, url + "riff?prompt=a&next=b&seed=7", script, reduced_motion="reduce")
        memory, heaps, began = Memory(page), [], time.monotonic()
        for minute in range(1, round(minutes) + 1):
            while page.evaluate("simulated.timeS()") < 60 * minute:
                page.wait_for_timeout(100)
            heaps.append(memory.megabytes())
        told = page.evaluate("({ ...simulated.quietest(), sounds: simulated.sounds.length })")
    print(f"simulated: {told['seconds']:.0f} s of music in {time.monotonic() - began:.0f} s, {told['sounds']} sounds")
    print(f"  calls {len(servers[0].requests)}, of which {servers[0].failed} failed")
    print(f"  the quietest of all moments has the gain {told['level']:.3f} (1: one clip, not fading)")
    print(f"  heap and buffers in MB, each minute: {heaps}")


def in_real_time(seconds: float) -> None:
    """Play in real time, and listen with an analyser every 20 ms."""
    servers: list[FaultyClips] = []
    with serving(_keeping(servers, WAITS_S), engine="synth") as url, chromium(FLAT) as browser:
        page = opened(browser, url + "riff?prompt=a&next=b&seed=7", EAR, reduced_motion="reduce")
        memory, heaps = Memory(page), []
        late = 0
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            page.wait_for_timeout(1000)
            late += page.evaluate("document.querySelector('.player-status').dataset.phase === 'buffering'")
            if len(heaps) < (time.monotonic() - began) // 20:
                heaps.append(memory.megabytes())
        told = page.evaluate("heard")
    print(f"in real time: {seconds:.0f} s, {told['moments']} moments heard, softest {told['softest']:.1f} dB")
    print(f"  silent below {SILENT_DB} dB: {'yes' if told['softest'] < SILENT_DB else 'never'}")
    print(f"  calls {len(servers[0].requests)}, of which {servers[0].failed} failed; {late} s of repetitions")
    print(f"  heap and buffers in MB, every 20 s: {heaps}")


def frame_times() -> None:
    """The time that a picture of the landscape takes, waited for, with WebGL in software."""
    with serving(engine="synth") as url, chromium(GL) as browser:
        page = browser.new_page()
        page.goto(url + "riff")
        print(f"landscape, software GL, 427 x 147 pixels: {page.evaluate(FRAME_TIMES)}")


def _keeping(servers: list[FaultyClips], waits_s: tuple[float, ...]) -> Callable[[Any], FaultyClips]:
    def around(app: Any) -> FaultyClips:
        servers.append(FaultyClips(app, waits_s))
        return servers[-1]

    return around


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10, help="on the simulated clock")
    parser.add_argument("--seconds", type=float, default=120, help="in real time")
    given = parser.parse_args()
    frame_times()
    simulated(given.minutes)
    in_real_time(given.seconds)


if __name__ == "__main__":
    main()
