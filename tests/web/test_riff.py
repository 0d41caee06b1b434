"""Riff in a real browser: no silence from a faulty server, any engine, the list, links, sizes, keys, accessibility."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sine_engine import SineEngine

from bench.radio.faulty_clips import FaultyClips
from lullwave.paths import web_dir
from tests.web.browsing import Radio, until

pytestmark = pytest.mark.browser

SIMULATED = Path(__file__).parents[2] / "bench" / "radio" / "simulated_audio.js"
SHORT_S = (0.7, 0.4, 1.1, 0.5, 0.9)  # lengths of clips: soon made, and many in a short test
WORD = "x" * 500
# Notes how loud the page is, every 20 ms, from the first sound on.
EAR = """(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...more) {
    if (to instanceof AudioDestinationNode && !window.heard) {
      window.heard = [];
      const ear = new AnalyserNode(this.context, { fftSize: 1024 });
      const samples = new Float32Array(1024);
      connect.call(this, ear);
      setInterval(() => {
        ear.getFloatTimeDomainData(samples);
        const db = 10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / 1024 + 1e-20);
        if (heard.length || db > -60) heard.push(db);
      }, 20);
    }
    return connect.call(this, to, ...more);
  };
})();"""

# Every frame comes a tenth of a second after the one before, by its own clock.
SLOW_FRAMES = "{ let t = 0; globalThis.requestAnimationFrame = (fn) => setTimeout(() => fn((t += 100)), 4); }"
# The words on the page that are those of the English strings, and not of the German ones; prompts stay in English.
ENGLISH = """async () => {
  const [en, de] = await Promise.all(['en', 'de'].map((name) => import(`/static/strings/${name}.js`)));
  const keys = Object.keys(en.default).filter((key) => !key.startsWith('idea.'));
  const english = keys.filter((key) => en.default[key] !== de.default[key]).map((key) => en.default[key]);
  const words = [...document.querySelectorAll('body *')].flatMap((el) =>
    [el.children.length ? '' : el.textContent.trim(), el.getAttribute('aria-label'), el.placeholder, el.title]);
  return words.filter((one) => english.includes(one));
}"""


def faulty(serve: Callable[..., Radio], *waits_s: float, **more: Any) -> tuple[Radio, FaultyClips]:
    made: list[FaultyClips] = []

    def around(app: Any) -> Any:
        made.append(FaultyClips(app, waits_s, **more))
        return made[0]

    return serve(around=around), made[0]


def opened(visit: Callable[..., Any], url: str, script: str = EAR, **options: Any) -> Any:
    """A page with a script before its own."""
    page = visit("about:blank", **options)
    page.add_init_script(script)
    page.goto(url)
    return page


def play(page: Any) -> None:
    page.get_by_role("button", name="Play", exact=True).click()


def simulate(page: Any, seconds: float) -> None:
    """Wait until so much simulated time has passed, however long that takes."""
    until_s = page.evaluate("simulated.timeS()") + seconds
    while page.evaluate("simulated.timeS()") < until_s:
        page.wait_for_timeout(50)


def eventually(page: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds that is not told in the page."""
    for _ in range(900):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("in vain")


def status(page: Any) -> str:
    return page.locator(".player-status").inner_text()


def test_no_silence_while_a_server_is_slow_fails_every_fifth_call_and_changes_the_length(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio, server = faulty(serve, 0.01, 0.02, 0.9, 0.05)  # in simulated time up to twenty seconds
    page = opened(visit, radio.url + "riff?prompt=a&next=b&seed=7", SIMULATED.read_text(), may_complain=True)
    play(page)
    simulate(page, 90)
    told = page.evaluate("({ ...simulated.quietest(), sounds: simulated.sounds.length })")
    assert told["seconds"] > 72
    assert told["level"] > 0.97
    assert server.failed  # how often depends on how many calls a busy machine makes
    walk = [(r["start"]["prompt"], r["end"]["prompt"], r["end"]["seed"], r["alpha"]) for r in server.requests]
    unlike = [one for n, one in enumerate(walk) if n == 0 or walk[n - 1] != one]  # a failed call is asked again
    assert len(walk) - len(unlike) == sum(1 for n in range(5, len(walk), 5))
    assert unlike[:7] == [("a", "b", 7, n / 4) for n in range(5)] + [("b", "b", 8, 0.25), ("b", "b", 8, 0.5)]


def test_without_a_checkpoint_the_servers_engine_plays_and_is_heard_without_a_gap(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve(engines={"synth": SineEngine}, engine="synth")
    page = opened(visit, radio.url + "riff?prompt=a%20steady%20tone&clipS=2", reduced_motion="no-preference")
    page.locator(".engine-note", has_text="No Riffusion checkpoint is installed here").wait_for()
    page.keyboard.press("Space")
    until(page, "window.heard?.length > 150")
    assert page.evaluate("Math.min(...heard.slice(5))") > -40
    assert page.locator(".spectrogram").get_attribute("aria-label") == "The spectrogram of “a steady tone”, rolling by"
    lit = """() => { const canvas = document.querySelector('.spectrogram canvas:not([hidden])');
      const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d');
      return new Promise((done) => requestAnimationFrame(() => { copy.drawImage(canvas, 0, 0);
        done(new Set(new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size); })); }"""
    eventually(page, lambda: page.evaluate(lit) > 8)
    page.keyboard.press("Space")
    until(page, "heard.length > 40 && heard.at(-1) === heard.at(-10)")  # a suspended clock
    assert status(page) == "Paused"


def test_another_engine_plays_while_riffusion_is_loaded(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio, server = faulty(serve, 0.01, lengths_s=SHORT_S, fails_every=0)
    loading: list[Any] = []
    page = opened(visit, "about:blank")
    page.route("**/api/riffusion", lambda route: loading.append(route))
    page.goto(radio.url + "riff?prompt=a&clipS=2")
    play(page)
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    assert page.locator(".engine-note").inner_text().startswith("Riffusion is being loaded. The engine")
    assert not server.requests
    loading[0].continue_()
    eventually(page, lambda: bool(server.requests))
    page.get_by_text("Riffusion makes the clips").wait_for()


def test_prompts_are_asked_jumped_to_removed_and_shared(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio, server = faulty(serve, 0.01, lengths_s=SHORT_S, fails_every=0)
    page = opened(visit, radio.url + "riff?prompt=one&seed=5&seedImageId=marim&maskImageId=none&denoising=0.6")
    box = page.get_by_role("textbox", name="What do you want to hear next?")
    box.fill("<img src=x onerror=alert(1)> & two")
    box.press("Enter")  # plays, too
    until(page, "document.querySelector('.now-playing .title').textContent.endsWith('two')")
    assert page.locator(".prompt-list [aria-current=true]").count() == 1
    assert page.locator(".now-playing img, .prompt-list img").count() == 0
    eventually(page, lambda: bool(server.requests))
    sent = server.requests[0]
    assert (sent["seed_image_id"], sent["mask_image_id"], sent["start"]["denoising"]) == ("marim", "", 0.6)
    page.get_by_role("button", name="Roll the dice").click()
    page.get_by_role("button", name="Go to “one”").press("Enter")
    until(page, "document.querySelector('.now-playing .title').textContent === 'one'")
    page.get_by_label("Steps").fill("500")
    page.get_by_label("Steps").press("Tab")
    assert page.get_by_text("Enter a whole number from 1 to 200.").is_visible()
    page.get_by_label("Steps").fill("20")
    page.get_by_label("Steps").press("Tab")
    until(page, "new URL(document.querySelector('.share .link').value).searchParams.get('numInferenceSteps') === '20'")
    link = page.locator(".share .link").input_value()
    other = opened(visit, link)
    assert other.get_by_label("Steps").input_value() == "20"
    eventually(other, lambda: other.get_by_label("Seed image").input_value() == "marim")  # the images are asked for
    assert other.locator(".now-playing .title").inner_text() in ("one", "<img src=x onerror=alert(1)> & two")


def test_what_goes_wrong_is_said_with_what_to_do(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio, _ = faulty(serve, 0.4, lengths_s=(0.3, 0.25), fails_every=0)
    page = opened(visit, radio.url + "riff?prompt=a", may_complain=True)
    play(page)
    page.get_by_text("Falling behind: music is made at").wait_for()
    page.get_by_role("button", name="Use 25 steps").click()
    assert page.get_by_label("Steps").input_value() == "25"
    refusing = serve(engines={"synth": SineEngine}, engine="synth", host="0.0.0.0", token="secret")
    page = opened(visit, refusing.url + "riff?prompt=a&clipS=2", may_complain=True)
    play(page)
    page.get_by_role("button", name="Enter the token").click()
    page.keyboard.type("secret")
    page.keyboard.press("Tab")
    until(page, "window.heard?.length > 10")


def test_an_idle_listener_is_asked_and_an_answer_goes_on(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio, server = faulty(serve, 0.01)
    page = opened(visit, radio.url + "riff?prompt=a", SIMULATED.read_text(), may_complain=True)
    play(page)
    simulate(page, 5)
    page.evaluate("simulated.skip(600)")
    page.get_by_role("dialog").wait_for()
    asked = len(server.requests)
    simulate(page, 30)
    assert len(server.requests) <= asked + 1  # one was on its way
    page.get_by_role("button", name="Yes, go on").click()
    simulate(page, 40)
    assert len(server.requests) > asked + 2


def test_on_a_slow_machine_the_picture_is_flat_and_every_word_is_german(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio, _ = faulty(serve, 0.01, lengths_s=SHORT_S, fails_every=0)
    page = opened(visit, radio.url + "riff?prompt=a", SLOW_FRAMES, reduced_motion="no-preference", locale="de-DE")
    page.get_by_text("Das Bild ist eine Landschaft.").wait_for()
    page.get_by_role("button", name="Abspielen", exact=True).click()
    page.get_by_text(re.compile(r"Die Landschaft kam auf diesem Gerät nur alle \d+ ms")).wait_for()
    assert page.locator(".spectrogram").get_attribute("data-view") == "flat"
    assert page.evaluate("document.documentElement.lang") == "de"
    assert page.evaluate(ENGLISH) == []
    page.get_by_label("Sprache").select_option("en")
    page.get_by_role("button", name="Play", exact=True).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_size_holds_long_words_and_axe_finds_nothing(
    serve: Callable[..., Radio], visit: Callable[..., Any], scheme: str
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    radio, _ = faulty(serve, 0.01, lengths_s=SHORT_S, fails_every=0)
    page = opened(visit, radio.url + f"riff?prompt={WORD}&next={WORD}", color_scheme=scheme)
    play(page)
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")
    for width, height in ((360, 740), (844, 390), (1366, 768), (2560, 1440)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".spectrogram").get_attribute("data-view") == "flat"
    found = page.evaluate(Path(axe.__file__).with_name("axe.min.js").read_text() + "; axe.run(document)")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


@pytest.mark.parametrize("page", ["index.html", "riff.html"])
def test_each_view_weighs_under_250_kilobytes(page: str):
    web = web_dir()
    text = (web / page).read_text()
    found = {web / name for name in re.findall(r'(?:href|src)="static/([^"]+)"', text)}
    left = [path for path in found if path.suffix == ".js"]
    while left:
        here = left.pop()
        for name in re.findall(r"(?:from |URL\()'(\.[^']+)'", here.read_text()):
            other = (here.parent / name).resolve()
            if other not in found:
                found.add(other)
                left.append(other)
    found.add(web / "fonts" / "lull-pixel.woff")
    found.add(max((web / "strings").iterdir(), key=lambda path: path.stat().st_size))  # a page loads one language
    total = sum(len(gzip.compress(path.read_bytes())) for path in [web / page, *found])
    assert 20_000 < total < 250_000
