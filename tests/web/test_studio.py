"""The Studio in a real browser: forms, wrong fields, a painting that is heard, results compared, models installed."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from reverse_proxy import proxied
from sine_engine import SineEngine

from lullwave import checkpoints
from lullwave.audio import Audio
from lullwave.codecs import decode, encode
from lullwave.engines.synth.engine import SynthEngine
from lullwave.models.machine import Machine
from lullwave.options import OptionInfo, describe
from tests.web.browsing import Radio, too_wide, until, violations

pytestmark = pytest.mark.browser

ENGINES = {"synth": SynthEngine, "sines": SineEngine}
DONE = ".job[data-state=done]"
CONTROLS = """() => Object.fromEntries([...document.querySelectorAll('.own .option')].map((row) => {
  const control = row.querySelector('.box, .tick');
  const { type, min, max, maxLength, value, checked } = control;
  const labelled = control.labels[0] === row.querySelector('.label') && row.querySelector('.label').textContent !== '';
  const described = control.getAttribute('aria-describedby').split(' ').includes(row.querySelector('.help').id);
  const choices = [...(control.options ?? [])].map((one) => one.value);
  return [control.name, { type, min, max, maxLength, value, checked, choices, accessible: labelled && described }];
}))"""

TONES = """() => {
  Object.assign(window, { tones: [], stopped: 0 });
  const { start, stop } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (...given) {
    tones.push(this.frequency.value);
    return start.apply(this, given);
  };
  OscillatorNode.prototype.stop = function (...given) {
    stopped += 1;
    return stop.apply(this, given);
  };
}"""

DROP_A_LINE = """async (hz) => {
  const { hzRow, ROWS } = await import('/static/studio/paint/painting.js');
  const sheet = new OffscreenCanvas(300, ROWS);
  const context = sheet.getContext('2d');
  context.fillStyle = 'white';
  context.fillRect(0, 0, 300, ROWS);
  context.fillStyle = 'black';
  context.fillRect(0, hzRow(hz) - 1, 300, 3);
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([await sheet.convertToBlob()], 'line.png', { type: 'image/png' }));
  const drop = new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true });
  document.querySelector('.canvas').dispatchEvent(drop);
}"""


def make(page: Any, **fields: str) -> None:
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).first.fill(value)
    page.get_by_role("button", name="Make it").click()


def files_of(page: Any, card: Any) -> dict[str, bytes]:
    """The results of a card by name, as the page's own links give them."""
    found = {}
    for link in card.locator(".files a").all():
        name = link.inner_text().split(" (")[0]
        with page.expect_download() as download:
            link.click()
        found[name] = Path(download.value.path()).read_bytes()
    return found


def expect_control(control: dict[str, Any], info: OptionInfo) -> None:
    limits = info.limits
    assert control["accessible"]
    unset = "" if info.default is None else info.default
    if limits.choices is not None:
        assert control["choices"] == [""] * info.optional + [str(choice) for choice in limits.choices]
        assert control["value"] == str(unset)
    elif info.type is bool and not info.optional:
        assert (control["type"], control["checked"]) == ("checkbox", info.default)
    elif info.type in (int, float):
        for given, shown in ((limits.low, control["min"]), (limits.high, control["max"]), (unset, control["value"])):
            assert (shown == "") if given in (None, "") else (float(shown) == given), info.name


def test_a_clip_is_made_heard_repeated_and_found_again_after_a_reload(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve(engines=ENGINES, engine="synth")
    page = visit(radio.url)
    page.get_by_role("link", name="in the Studio").click()
    page.get_by_role("button", name="Bossa nova").click()
    assert "bossa nova" in page.get_by_label("How it should sound").input_value()
    page.get_by_text("The engine’s own options").click()
    controls = page.evaluate(CONTROLS)
    assert list(controls) == [info.name for info in describe(SynthEngine.options)]
    for info in describe(SynthEngine.options):
        expect_control(controls[info.name], info)
    page.get_by_label("Drums").uncheck()
    make(page, How_it_should_sound="rainy night piano", Length_in_seconds="2", Seed="9223372036854775807")
    card = page.locator(DONE)
    card.wait_for()
    made = files_of(page, card)
    assert list(made) == ["clip.mp3", "clip.png"]
    clip = decode(made["clip.mp3"])
    assert clip.frames == 2 * clip.rate
    assert abs(clip.samples).max() > 0.05
    card.get_by_text("Make the same elsewhere").click()
    line = card.get_by_label("The same as a curl command").input_value()
    words = shlex.split(line.replace("\\\n", ""))
    assert words[:3] == ["curl", "-fsS", radio.url + "api/generate"]
    body = {"prompt": "rainy night piano", "duration_s": 2, "seed": 9223372036854775807, "options": {"drums": False}}
    assert json.loads(words[words.index("-d") + 1]) == body
    assert "seed=9223372036854775807" in card.get_by_label("The same in Python").input_value()
    card.locator("audio").evaluate("(sound) => sound.play()")
    until(page, "document.querySelector('.job audio').currentTime > 0.2")
    page.reload()
    card.wait_for()
    card.get_by_role("button", name="Use again").click()
    assert page.get_by_label("Seed", exact=True).input_value() == "9223372036854775807"
    assert not page.get_by_label("Drums").is_checked()
    card.get_by_role("button", name="Keep").click()
    page.locator('[name=pin][aria-pressed="true"]').wait_for()
    card.get_by_role("button", name="Delete").click()
    page.get_by_text("Nothing yet.").wait_for()


def test_every_wrong_field_is_marked_and_a_failure_shows_no_result(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    class Breaks(SineEngine):
        name = "breaks"
        fails_at = 44100

    page = visit(serve(engines={**ENGINES, "breaks": Breaks}, engine="sines").url + "studio", may_complain=True)
    make(page, Length_in_seconds="9999", Seed="-3")
    page.get_by_text("Please correct the marked fields.").wait_for()
    assert page.locator("[aria-invalid]").evaluate_all("(all) => all.map((one) => one.name)") == ["duration_s", "seed"]
    assert page.evaluate("document.activeElement.name") == "duration_s"
    page.get_by_label("Seed", exact=True).fill("3")
    assert page.locator("[aria-invalid]").count() == 1
    make(page, Length_in_seconds="2")
    page.locator(DONE).wait_for()
    assert page.locator("[aria-invalid]").count() == 0
    page.get_by_label("Engine", exact=True).select_option("breaks")
    make(page)
    failed = page.locator(".job[data-state=failed]")
    failed.get_by_text("the sines broke").wait_for()
    page.get_by_text("It failed; why stands in your results.").wait_for()
    assert failed.locator("audio, .files a").count() == 0
    failed.get_by_role("button", name="Try again").click()
    failed.wait_for()
    page.goto(page.url + "#batch")
    page.get_by_label("Prompts as JSON").fill('{"entries": [{"prompt": 5}]}')
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("entries[0].prompt: Got 5").wait_for()


def test_a_painted_line_is_heard_at_its_frequency_and_a_dropped_image_is_taken(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    page = visit(serve(engines=ENGINES, engine="sines").url + "studio#image-to-audio")
    canvas = page.get_by_role("application")
    canvas.wait_for()
    page.locator(".overtones").fill("0")
    page.get_by_role("button", name="Brush").click()
    box = canvas.bounding_box()
    row = page.evaluate("import('/static/studio/paint/painting.js').then((m) => m.hzRow(660))")
    y = box["y"] + box["height"] * (row + 0.5) / 512
    page.evaluate(TONES)
    page.mouse.move(box["x"] + 5, y)
    page.mouse.down()
    assert page.evaluate("tones") == pytest.approx([660], rel=0.02)  # the brush itself sounds
    page.mouse.move(box["x"] + box["width"] - 5, y, steps=8)
    assert page.evaluate("stopped") == 0
    page.mouse.up()  # it is heard without another click
    assert page.evaluate("stopped") == 1
    until(page, "document.querySelector('.preview').currentTime > 0.1")
    card = page.locator(DONE).filter(has=page.locator("audio"))
    card.wait_for()
    sound = decode(files_of(page, card.first)["sound.wav"])
    spectrum = np.abs(np.fft.rfft(sound.samples[:, 0]))
    assert np.argmax(spectrum) * sound.rate / sound.frames == pytest.approx(660, rel=0.04)
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Hear it").click()
    page.get_by_text("Nothing is painted yet.").wait_for()
    canvas.focus()
    for key in ("ArrowUp", "Space"):
        canvas.press(key)  # the keyboard paints, too
    assert page.get_by_role("button", name="Undo").is_enabled()

    page.evaluate(DROP_A_LINE, 440)
    until(page, "document.querySelector('.canvas').width === 300")
    page.get_by_role("button", name="Quick MP3").click()
    page.get_by_role("button", name="Make it").click()
    made = page.locator(DONE).filter(has_text="sound.mp3").first
    made.wait_for()
    sound = decode(files_of(page, made)["sound.mp3"])
    spectrum = np.abs(np.fft.rfft(sound.samples[:, 0]))
    assert np.argmax(spectrum) * sound.rate / sound.frames == pytest.approx(440, rel=0.04)

    page.goto(page.url.replace("image-to-audio", "sample-clips"))
    tone = Audio.of(0.3 * np.sin(np.arange(44100) / 9).astype(np.float32), 44100)
    file = {"name": "tone.wav", "mimeType": "audio/wav", "buffer": encode(tone, "wav")}
    page.locator(".chooser").set_input_files(file)
    until(page, "document.querySelector('select[name=audio]').value !== ''")
    make(page, Count="2", Length_in_milliseconds="400")
    page.locator(DONE).filter(has_text="clip_1").wait_for()


def test_a_list_of_jobs_that_did_not_come_at_first_comes_later(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(engines=ENGINES, engine="sines").url + "studio", may_complain=True)
    page.evaluate(
        """() => fetch('api/jobs', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ task: 'text', fields: { prompt: 'rain', duration_s: 1, image: false } }),
        })"""
    )
    page.route("**/api/jobs", lambda route: route.abort(), times=1)
    page.reload()
    page.locator(DONE).wait_for()
    assert page.locator(".job-list > .told").inner_text() == ""


def test_replies_that_cross_lose_no_job(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(engines=ENGINES, engine="sines").url + "studio")
    make(page, Length_in_seconds="1")
    page.locator(DONE).wait_for()
    held: list[tuple[Any, Any]] = []
    page.route("**/api/jobs", lambda route: held.append((route, route.fetch())), times=1)
    page.evaluate("() => void dispatchEvent(new Event('focus'))")  # the list is asked for, and its reply comes late
    while not held:
        page.wait_for_timeout(20)
    make(page)
    page.locator(DONE).nth(1).wait_for()
    [(route, reply)] = held
    with page.expect_response("**/api/jobs"):
        route.fulfill(response=reply)
    page.wait_for_timeout(100)
    assert page.locator(DONE).count() == 2


def test_two_results_play_side_by_side_at_one_loudness(serve: Callable[..., Radio], visit: Callable[..., Any]):
    page = visit(serve(engines=ENGINES, engine="sines").url + "studio")
    page.evaluate(
        """async () => {
          for (const lufs of [-14, -24]) {
            const fields = { prompt: `at ${lufs}`, duration_s: 4, lufs, image: false };
            const headers = { 'content-type': 'application/json' };
            await fetch('api/jobs', { method: 'POST', headers, body: JSON.stringify({ task: 'text', fields }) });
          }
        }"""
    )
    page.reload()
    page.locator(DONE).nth(1).wait_for()
    page.evaluate(
        """() => {
          window.gains = [];
          const set = AudioParam.prototype.setTargetAtTime;
          AudioParam.prototype.setTargetAtTime = function (...given) {
            gains.push(given[0]);
            return set.apply(this, given);
          };
        }"""
    )
    page.get_by_role("button", name="Compare at -14 as A").click()
    page.get_by_role("button", name="Compare at -24 as B").click()
    for side in ("a", "b"):
        page.locator(f".side.-{side} .facts").get_by_text("LUFS").wait_for()
        canvas = f"document.querySelector('.side.-{side} .spectrogram')"
        pixels = f"{canvas}.getContext('2d').getImageData(0, 0, {canvas}.width, {canvas}.height).data"
        until(page, f"new Set({pixels}).size > 20")  # shades: it is drawn
    page.get_by_role("button", name="Play", exact=True).click()
    until(page, "Number(document.querySelector('.seek').value) > 0.2")
    page.get_by_role("button", name="Switch A/B").click()
    gains = page.evaluate("gains")
    assert gains == pytest.approx([10 ** (-10 / 20), 0.0, 0.0, 1.0], abs=0.06)
    page.get_by_role("button", name="Stop").click()


def test_the_owner_installs_a_model_with_progress(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    go, asked = threading.Semaphore(0), []

    def pull(name: str, progress: Callable[[str, int, int], None]) -> None:
        asked.append(name)
        for piece in range(1, 5):
            progress("model.safetensors", piece * 600_000_000, 2_400_000_000)
            go.acquire()

    monkeypatch.setattr(checkpoints, "pull", pull)
    machine = Machine("cpu", 300.0, 20.0, 2.0)
    monkeypatch.setattr("lullwave.server.routes.models.this_machine", lambda: machine)
    engines = {"synth": SineEngine, "musicgen": SineEngine}
    radio = serve(engines=engines, engine="synth", host="0.0.0.0", token="open sesame")
    page = visit(radio.url + "studio#models", may_complain=True)
    card = page.locator(".model", has=page.get_by_role("heading", name="facebook/musicgen-small", exact=True))
    large = page.locator(".model", has=page.get_by_role("heading", name="facebook/musicgen-large", exact=True))
    install = card.get_by_role("button", name="Install facebook/musicgen-small (2.4 GB)")
    install.click()
    page.get_by_text("making things needs the admin token").last.wait_for()
    assert not asked
    assert large.get_by_role("button").count() == 0  # it does not fit into 2 GB
    page.get_by_label("Admin token").fill("open sesame")
    install.click()
    card.get_by_text("0.60 of 2.40 GB").wait_for()
    assert card.get_by_role("progressbar").evaluate("(bar) => bar.value") == pytest.approx(0.25)
    assert violations(page) == []
    page.set_viewport_size({"width": 360, "height": 740})
    assert too_wide(page) == []
    with page.expect_response("**/pull/cancel"):
        card.get_by_role("button", name="Cancel").click()
    go.release()
    card.get_by_text("What has arrived is kept").wait_for()
    install.click()
    go.release(4)
    card.get_by_text("What has arrived is kept").wait_for(state="detached")
    until(page, "!document.querySelector('.model .bar:not([hidden])')")
    assert asked == ["facebook/musicgen-small"] * 2


def test_it_works_below_a_path_prefix_on_a_public_server_with_the_token(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve(engine="sines", trusted_proxies="127.0.0.1", token="open sesame")
    with proxied(radio.port, "/radio") as proxy:
        page = visit(f"http://127.0.0.1:{proxy.port}/radio/make", may_complain=True)
        assert page.url.endswith("/radio/studio")
        make(page, Length_in_seconds="1")
        page.get_by_text("making things needs the admin token").last.wait_for()
        token = page.get_by_label("Admin token")
        token.fill("wrong")
        make(page)
        page.get_by_text("This admin token is wrong.").wait_for()
        token.fill("open sesame")
        make(page)
        page.locator(DONE).wait_for()
        assert '"Authorization: Bearer $LULLWAVE_TOKEN"' in page.locator(".line.-curl").input_value()
        assert "sesame" not in page.content()
        assert page.evaluate("JSON.stringify(localStorage)").find("sesame") == -1
        page.route("**/api/**", lambda route: route.abort())
        page.reload()
        page.get_by_text("The server cannot be reached.").wait_for()
        page.get_by_role("alert").get_by_role("button", name="Try again").click()
        assert page.get_by_role("heading", name="Your results").count() == 0  # nothing is known of them
        page.unroute("**/api/**")
        page.locator(DONE).wait_for()
