"""Takes the pictures of the documentation: radio, Riff and Studio at four sizes, light and dark, and Riff moving.

``make pictures`` (``ARGS="--views riff --folder FOLDER"``) writes them into ``docs/pictures``. A picture above
``MOST_BYTES``, or all that stand still above ``MOST_TOGETHER``, is an error.
"""

from __future__ import annotations

import argparse
import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ..radio.riff_view import GL, chromium, serving

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
SIZES = ((390, 844), (844, 390), (1366, 768), (2560, 1440))
SCHEMES = ("light", "dark")
MOVING = "riff.webp"
QUALITY = 78  # of WebP, 0 to 100
MOST_BYTES = 200_000  # of a picture
MOST_MOVING_BYTES = 700_000
MOST_TOGETHER = 1_500_000  # of all that stand still
SETTLE_MS = 900  # after a change of the size
FRAMES, FRAME_MS = 40, 110  # of the moving picture
COLOURS = 64  # of it
SCALE = 3  # of its pixels

# Canvases that can be read at any time, and a clock of frames that a slow machine does not stretch.
READABLE = """(() => {
  const get = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, how) {
    return get.call(this, kind, { ...how, preserveDrawingBuffer: true });
  };
  const frame = globalThis.requestAnimationFrame.bind(globalThis);
  let timeMs = 0;
  globalThis.requestAnimationFrame = (fn) => frame(() => fn((timeMs += 34)));
})();"""
GRAB = """() => new Promise((done) => setTimeout(() => done(document.querySelector('.landscape').toDataURL()), 60))"""
CLIPS = """async () => {
  for (const [prompt, seed] of [['rainy night piano', 7], ['bossa nova, nylon guitar', 3]]) {
    const fields = { prompt, seed, duration_s: 12 };
    const headers = { 'content-type': 'application/json' };
    await fetch('api/jobs', { method: 'POST', headers, body: JSON.stringify({ task: 'text', fields }) });
  }
}"""


def radio(page: Any, url: str) -> None:
    """The radio while it plays."""
    page.goto(url)
    _play(page)


def riff(page: Any, url: str) -> None:
    """Riff on its way between prompts."""
    prompts = "prompt=rainy+night+piano&next=warm+synthwave&next=jazz+trio+in+a+small+cafe"
    page.goto(f"{url}riff?{prompts}&seed=7")
    _play(page)


def studio(page: Any, url: str) -> None:
    """The Studio with two results side by side."""
    page.goto(url + "studio")
    page.evaluate(CLIPS)
    page.reload()
    done = page.locator(".job[data-state=done]")
    done.nth(1).wait_for(timeout=120_000)
    done.nth(0).get_by_role("button", name="as A").click()
    done.nth(1).get_by_role("button", name="as B").click()
    page.locator(".side.-b .facts").get_by_text("LUFS").wait_for(timeout=60_000)


VIEWS: dict[str, Callable[[Any, str], None]] = {"radio": radio, "riff": riff, "studio": studio}


def _play(page: Any) -> None:
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator(".player-status[data-phase=playing]").wait_for(timeout=60_000)
    page.wait_for_timeout(5000)


def take(views: list[str], folder: Path) -> list[Path]:
    """Write the pictures of some views into ``folder``; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with serving(engine="synth") as url, chromium(GL) as browser:
        for view in views:
            for scheme in SCHEMES:
                context = browser.new_context(color_scheme=scheme, viewport={"width": 1366, "height": 768})
                page = context.new_page()
                page.add_init_script(READABLE)
                VIEWS[view](page, url)
                if view == "riff" and scheme == "dark":
                    taken.append(moving(page, folder / MOVING))
                for width, height in SIZES:
                    page.set_viewport_size({"width": width, "height": height})
                    page.evaluate("scrollTo(0, 0)")
                    page.wait_for_timeout(SETTLE_MS)
                    path = folder / f"{view}-{width}x{height}-{scheme}.webp"
                    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                    shot.save(path, quality=QUALITY, method=6)
                    taken.append(path)
                context.close()
    return taken


def moving(page: Any, path: Path) -> Path:
    """Write a moving picture of Riff's landscape, pixel by pixel as it is drawn."""
    frames: list[Image.Image] = []
    for _ in range(FRAMES):
        url = page.evaluate(GRAB)
        frames.append(Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))).convert("RGB"))
    sample = Image.new("RGB", (frames[0].width, 4 * frames[0].height))
    for n in range(4):
        sample.paste(frames[n * FRAMES // 4], (0, n * frames[0].height))
    colours = sample.quantize(COLOURS, dither=Image.Dither.NONE)
    size = (frames[0].width * SCALE, frames[0].height * SCALE)
    large = [
        frame.quantize(palette=colours, dither=Image.Dither.NONE).convert("RGB").resize(size, Image.Resampling.NEAREST)
        for frame in frames
    ]
    large[0].save(path, save_all=True, append_images=large[1:], duration=FRAME_MS, loop=0, lossless=True, method=3)
    return path


def check(paths: list[Path], folder: Path) -> None:
    """Check that pictures are small enough for a repository.

    Raises:
        SystemExit: one is too large, or all of the folder are.
    """
    for path in paths:
        most = MOST_MOVING_BYTES if path.name == MOVING else MOST_BYTES
        print(f"{path.name:32} {path.stat().st_size / 1e3:7.1f} kB")
        if path.stat().st_size > most:
            raise SystemExit(f"{path} has more than {most / 1e3:g} kB")
    together = sum(path.stat().st_size for path in folder.iterdir() if path.name != MOVING)
    print(f"{'all that stand still':32} {together / 1e3:7.1f} kB")
    if together > MOST_TOGETHER:
        raise SystemExit(f"the pictures in {folder} have more than {MOST_TOGETHER / 1e6:g} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--views", nargs="+", choices=tuple(VIEWS), default=list(VIEWS))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    check(take(given.views, given.folder), given.folder)


if __name__ == "__main__":
    main()
