"""The rest of the page in a real browser: cats, ambience, sleep, media keys, colours, and whether all can use it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from lullwave.paths import web_dir
from tests.web.browsing import Radio, page_width, play, shell_kept, until, violations

pytestmark = pytest.mark.browser

# Every text, label, example and title of the page that has a letter.
TEXTS = """() => {
  const texts = [...document.querySelectorAll('body *')].filter((el) => el.localName !== 'noscript').flatMap((el) =>
    [...[...el.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data),
     ...['aria-label', 'aria-valuetext', 'placeholder', 'title', 'alt'].map((name) => el.getAttribute(name) ?? '')]);
  return texts.map((text) => text.trim()).filter((text) => /\\p{L}/u.test(text));
}"""
STRINGS = "performance.getEntriesByType('resource').map((one) => one.name).filter((one) => one.includes('/strings/'))"


def marked_strings(language: str) -> str:
    """The file of a language with every text in brackets, so that what is written elsewhere stands out."""
    text = (web_dir() / "strings" / f"{language}.js").read_text()
    marked = "Object.entries(words).map(([key, text]) => [key, key === 'language.code' ? text : `⟦${text}⟧`])"
    return text.replace("export default", "const words =") + f"\nexport default Object.fromEntries({marked});\n"


def unmarked(text: str) -> str:
    while text != (text := re.sub(r"⟦[^⟦⟧]*⟧", "", text)):
        pass
    return text.strip()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844), (320, 640)])
def test_everybody_can_use_it(radio: Radio, visit: Callable[..., Any], scheme: str, width: int, height: int):
    page = visit(radio.url, color_scheme=scheme, viewport={"width": width, "height": height})
    page.get_by_role("radio", name="First light").wait_for(state="attached")
    assert violations(page) == []
    play(page)
    page.get_by_text("BPM").wait_for()
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_cat_meows_and_a_hundred_make_a_friend(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url, reduced_motion="no-preference")
    cat = page.get_by_role("button", name="The cat.")
    cat.click()
    page.locator(".heart").first.wait_for(state="attached")
    assert "1 of 100 meows" in (cat.get_attribute("aria-label") or "")
    page.evaluate("localStorage.setItem('lullwave.meows', '99')")
    page.reload()
    cat.click()
    assert "best friends" in page.locator(".award").inner_text()
    assert page.locator(".award").is_visible()


def test_a_meow_sounds_like_a_voice_that_ends(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    measured = page.evaluate(
        """async () => {
          const { meow } = await import('/static/scene/meow-sound.js');
          const context = new OfflineAudioContext(1, 48000 * 1.2, 48000);
          const length = meow(context, 1, () => 0.5);
          const samples = (await context.startRendering()).getChannelData(0);
          const power = (from, to) => samples.slice(from * 48000, to * 48000).reduce((sum, x) => sum + x * x, 0);
          return { length, voice: power(0.1, 0.5), after: power(length + 0.1, 1.2), peak: Math.max(...samples) };
        }"""
    )
    assert 0.4 < measured["length"] < 0.9
    assert measured["voice"] > 10.0
    assert measured["after"] == pytest.approx(0.0, abs=1e-9)
    assert measured["peak"] < 1.0


def test_the_sleep_timer_fades_out_and_pauses(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    play(page)
    until(page, "document.querySelector('audio').volume > 0.4")
    page.evaluate("document.querySelector('.radio').dispatchEvent(new CustomEvent('set-sleep', { detail: 0.5 }))")
    page.get_by_text("Fades out in 0:2").wait_for()
    page.evaluate("document.querySelector('.radio').dispatchEvent(new CustomEvent('set-sleep', { detail: 0.08 }))")
    until(page, "document.querySelector('audio').volume < 0.05")
    until(page, "!document.querySelector('audio').hasAttribute('src')")
    page.get_by_text("Plays until you stop it.").wait_for()
    assert page.get_by_role("button", name="Play", exact=True).is_visible()


def test_every_text_is_of_the_visitors_language_which_can_be_changed(radio: Radio, visit: Callable[..., Any]):
    page = visit("about:blank", locale="de-DE")
    page.route(
        "**/strings/de.js", lambda route: route.fulfill(content_type="text/javascript", body=marked_strings("de"))
    )
    page.goto(radio.url)
    page.get_by_role("button", name="⟦Abspielen⟧", exact=True).click()
    page.get_by_text("⟦1 Mensch hört zu⟧").wait_for()
    page.get_by_text("BPM⟧").wait_for()
    page.get_by_role("textbox", name="⟦Wie die Musik klingen soll⟧").fill("brighter gibberish")
    page.keyboard.press("Enter")
    page.get_by_text("⟦Ohne Wirkung: gibberish⟧").first.wait_for()
    page.get_by_role("button", name="⟦Die Katze.").click()
    page.get_by_role("slider", name="⟦Regen⟧").fill("40")
    page.get_by_role("button", name="15 ⟦min⟧").click()
    page.get_by_text("⟦Wird nach").wait_for()
    assert page.evaluate("document.documentElement.lang") == "de"
    content = {"First light", "Second wind", "a steady tone", "another tone", "brighter gibberish"}  # the server's
    names = {"lullwave", "Lullwave", "z", "z z", "M", "F", "stream.mp3", "English", "Deutsch"}
    left = {unmarked(text) for text in page.evaluate(TEXTS)} - content - names
    assert {text for text in left if re.search(r"[^\W\d]", text) and not text.startswith("Tone ")} == set()
    assert [name.rsplit("/", 1)[1] for name in page.evaluate(STRINGS)] == ["de.js"]
    page.set_viewport_size({"width": 320, "height": 640})
    assert page_width(page) == 320
    page.get_by_label("⟦Sprache⟧").select_option("en")
    page.get_by_role("button", name="Play", exact=True).wait_for()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert [name.rsplit("/", 1)[1] for name in page.evaluate(STRINGS)] == ["en.js"]


def test_the_lock_screen_knows_the_piece_and_its_keys_work(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    play(page)
    until(page, "navigator.mediaSession.metadata?.title.startsWith('Tone ')")
    assert page.evaluate("navigator.mediaSession.metadata.artist") == "First light"
    assert page.evaluate("navigator.mediaSession.playbackState") == "playing"
    colours = page.evaluate(
        """async () => {
          const image = new Image();
          image.src = navigator.mediaSession.metadata.artwork[0].src;
          await image.decode();
          const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
          context.drawImage(image, 0, 0);
          const { data } = context.getImageData(0, 0, image.width, image.height);
          return [image.width, new Set(new Uint32Array(data.buffer)).size];
        }"""
    )
    assert colours[0] == 768
    assert colours[1] > 10  # the place that is painted


def test_rain_plays_alone_and_along_and_is_remembered(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    page.evaluate(
        """() => {
          window.rainGains = [];
          const glide = AudioParam.prototype.setTargetAtTime;
          AudioParam.prototype.setTargetAtTime = function (value, ...rest) {
            rainGains.push(value);
            return glide.call(this, value, ...rest);
          };
        }"""
    )
    rain = page.get_by_role("slider", name="Rain")
    rain.fill("60")
    until(page, "rainGains.at(-1) > 0.1")
    page.get_by_role("button", name="Stop these sounds").click()
    until(page, "rainGains.at(-1) === 0")
    page.get_by_role("button", name="Hear these without the music").click()
    until(page, "rainGains.at(-1) > 0.1")
    play(page)
    assert not page.locator(".alone").is_visible()
    until(page, "rainGains.at(-1) > 0.1")
    page.get_by_role("button", name="Pause", exact=True).click()
    until(page, "rainGains.at(-1) === 0")
    page.reload()
    assert rain.input_value() == "60"


def test_colours_follow_the_system_until_somebody_chooses(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url, color_scheme="light")
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    until(page, f"{paper} !== {light!r}")
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours: dark").click()
    until(page, f"{paper} === {light!r}")
    page.reload()
    page.get_by_role("button", name="Colours: light").wait_for()
    until(page, f"{paper} === {light!r}")


def test_it_can_be_installed(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    manifest = page.evaluate(
        "async () => { const link = document.querySelector('link[rel=manifest]').href;"
        " const manifest = await (await fetch(link)).json();"
        " return { ...manifest, start: new URL(manifest.start_url, link).href,"
        " icons: manifest.icons.map((icon) => new URL(icon.src, link).href) }; }"
    )
    assert manifest["start"] == radio.url
    assert all(page.request.get(icon).ok for icon in manifest["icons"])


def test_it_opens_without_the_server(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve()
    page = visit(radio.url, may_complain=True)
    page.get_by_role("radio", name="First light").wait_for(state="attached")
    shell_kept(page, "", "static/ambience/ambience-worker.js")
    radio.stop()
    page.reload()
    page.get_by_role("button", name="Play", exact=True).click()
    page.locator(".player-status").get_by_text("The station cannot be reached.").wait_for()
    page.get_by_role("button", name="Try now").wait_for()
    serve(radio.port)
    until(page, "document.querySelector('.player-status').dataset.phase === 'playing'")


def test_it_works_behind_a_path_prefix(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url)
    addresses = page.evaluate(
        """[...document.querySelectorAll('[src], [href]')]
          .map((element) => element.getAttribute('src') ?? element.getAttribute('href'))"""
    )
    assert addresses
    assert [a for a in addresses if a.startswith(("/", "http"))] == []


def test_dots_lean_away_from_the_mouse_unless_motion_is_unwelcome(radio: Radio, visit: Callable[..., Any]):
    dots = """() => {
      const canvas = document.querySelector('.dots');
      return canvas.getContext('2d').getImageData(0, 0, 200, 200).data.reduce((sum, x) => sum + x, 0);
    }"""
    page = visit(radio.url, reduced_motion="no-preference")
    rest = page.evaluate(dots)
    page.mouse.move(60, 60)
    page.mouse.move(70, 70)
    until(page, f"({dots})() !== {rest}")

    calm = visit(radio.url)
    before = calm.evaluate(dots)
    calm.mouse.move(60, 60)
    calm.mouse.move(70, 70)
    calm.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert calm.evaluate(dots) == before
