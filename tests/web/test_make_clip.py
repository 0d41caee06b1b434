"""The page that makes clips, in a real browser: every option is there, a clip plays, what is wrong is said in place."""

from __future__ import annotations

import json
import shlex
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from reverse_proxy import proxied
from sine_engine import RATE, SineEngine, SineStream

from lullwave.codecs import FORMATS, decode
from lullwave.engines import engine_class, engine_names
from lullwave.engines.synth.engine import SynthEngine
from lullwave.errors import LullwaveError, MissingExtra
from lullwave.options import OptionInfo, describe
from lullwave.server.engine_pool import EnginePool
from tests.web.browsing import Radio, until

pytestmark = pytest.mark.browser

CONTROLS = """() => Object.fromEntries([...document.querySelectorAll('.own .option')].map((row) => {
  const control = row.querySelector('.box, .tick');
  const { type, min, max, maxLength, value, checked, placeholder } = control;
  const labelled = control.labels[0] === row.querySelector('.label') && row.querySelector('.label').textContent !== '';
  const described = control.getAttribute('aria-describedby').split(' ').includes(row.querySelector('.help').id);
  const choices = [...(control.options ?? [])].map((one) => one.value);
  const help = row.querySelector('.help').textContent;
  return [control.name,
    { type, min, max, maxLength, value, checked, placeholder, choices, help, accessible: labelled && described }];
}))"""


class Slow(SineEngine):
    """Ten times as fast as the music: ten minutes take a minute, unless it is told to stop."""

    def open(self, request: Any, **audio_prompts: Any) -> SineStream:
        return SlowStream(self, request, 220.0, 0, [])


class SlowStream(SineStream):
    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._left = threading.Event()

    def read(self, frames: int) -> Any:
        self._left.wait(0.1 * frames / RATE)
        return super().read(frames)

    def close(self) -> None:
        super().close()
        self._left.set()


def installed() -> dict[str, Any]:
    found = {}
    for name in engine_names():
        try:
            found[name] = engine_class(name)
        except MissingExtra:
            continue
    return found


def make(page: Any, seconds: float = 2.0) -> None:
    page.get_by_label("Length in seconds").fill(str(seconds))
    page.get_by_role("button", name="Make it").click()


def expect_control(control: dict[str, Any], info: OptionInfo) -> None:
    limits = info.limits
    assert control["accessible"]
    assert control["help"].lower().startswith(limits.doc.lower())
    unset = "" if info.default is None else info.default
    if limits.choices is not None:
        assert control["type"] == "select-one"
        assert control["choices"] == [""] * info.optional + [str(choice) for choice in limits.choices]
        assert control["value"] == str(unset)
    elif info.type is bool:
        assert (control["type"], control["checked"]) == ("checkbox", info.default)
    elif info.type is str:
        assert (control["type"], control["value"]) == ("text", unset)
        assert control["maxLength"] == (-1 if limits.max_length is None else limits.max_length)
    else:
        assert control["type"] == "number"
        for given, shown in ((limits.low, control["min"]), (limits.high, control["max"]), (unset, control["value"])):
            assert (shown == "") if given in (None, "") else (float(shown) == given), info.name


def test_every_option_of_every_engine_has_a_control_with_its_default_and_range(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    engines = {**installed(), "sines": SineEngine}
    page = visit(serve(engines=engines, engine="sines").url + "make")
    picker = page.get_by_label("Engine", exact=True)
    picker.wait_for()
    assert picker.input_value() == "sines"
    assert page.evaluate("[...document.querySelector('#engine').options].map((o) => o.value)") == list(engines)
    for name, kind in engines.items():
        picker.select_option(name)
        controls = page.evaluate(CONTROLS)
        infos = describe(kind.options)
        assert list(controls) == [info.name for info in infos]
        for info in infos:
            expect_control(controls[info.name], info)
    assert float(page.get_by_label("Length in seconds").get_attribute("max")) == 600
    assert page.locator("select[name=format] option").all_inner_texts() == list(FORMATS)


def test_a_clip_is_made_decodes_and_plays(serve: Callable[..., Radio], visit: Callable[..., Any], tmp_path: Path):
    radio = serve(engines={"synth": SynthEngine, "sines": SineEngine}, engine="synth")
    page = visit(radio.url)
    page.get_by_role("link", name="Make a clip").click()
    page.get_by_label("How it should sound").fill("rainy night piano")
    page.get_by_label("Seed").fill("9223372036854775807")
    page.get_by_label("Tempo in BPM").fill("82.5")
    page.get_by_label("Drums").uncheck()
    with page.expect_request("**/api/generate") as sent:
        make(page, 3)
    wanted = '{"prompt": "rainy night piano", "seed": 9223372036854775807, "duration_s": 3, "engine": "synth", '
    wanted += '"format": "mp3", "options": {"tempo_bpm": 82.5, "drums": false}}'
    assert sent.value.post_data == wanted
    page.get_by_text("“rainy night piano” is ready.").wait_for()

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    file = download.value
    assert file.suggested_filename == "lullwave-rainy-night-piano-9223372036854775807.mp3"
    file.save_as(tmp_path / "clip.mp3")
    clip = decode((tmp_path / "clip.mp3").read_bytes())
    assert clip.frames == 3 * clip.rate
    assert abs(clip.samples).max() > 0.05

    words = shlex.split(page.get_by_label("The same request as a command").input_value().replace("\\\n", ""))
    assert words[:3] == ["curl", "-fsS", radio.url + "api/generate"]
    assert json.loads(words[words.index("-d") + 1]) == json.loads(wanted)
    assert words[-1] == file.suggested_filename

    page.evaluate("document.querySelector('.sound').play()")
    until(page, "document.querySelector('.sound').currentTime > 0.5")
    assert page.evaluate("document.querySelector('.sound').duration") == pytest.approx(3.0, abs=0.1)
    page.get_by_role("button", name="Use this seed again").click()
    assert page.get_by_label("Seed").input_value() == "9223372036854775807"
    page.get_by_role("link", name="Back to the radio").click()
    page.get_by_role("button", name="Play", exact=True).wait_for()


@pytest.mark.parametrize("format", FORMATS)
def test_the_share_that_is_made_is_read_from_real_clips(radio: Radio, visit: Callable[..., Any], format: str):
    page = visit(radio.url + "make")
    shares = page.evaluate(
        """async (format) => {
          const { MadeSoFar } = await import('/static/make/made-so-far.js');
          const body = JSON.stringify({ format, duration_s: 8, engine: 'sines' });
          const headers = { 'content-type': 'application/json' };
          const reply = await fetch('/api/generate', { method: 'POST', headers, body });
          const bytes = new Uint8Array(await reply.arrayBuffer());
          const made = MadeSoFar(format, 8);
          const shares = [];
          for (let at = 0; at < bytes.length; at += 1000) {
            made.add(bytes.subarray(at, at + 1000));
            shares.push([made.share, made.received / bytes.length]);
          }
          return shares;
        }""",
        format,
    )
    if format == "flac":
        assert {share for share, _ in shares} == {None}
        return
    assert shares[-1][0] == pytest.approx(1.0, abs=0.01)
    assert all(share == pytest.approx(true, abs=0.25) for share, true in shares)
    assert [share for share, _ in shares] == sorted(share for share, _ in shares)


def test_what_is_wrong_is_said_at_its_field_in_the_servers_words(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve(engines={"synth": SynthEngine}, engine="synth")
    page = visit(radio.url + "make", may_complain=True)
    for label, wrong, right, words in (
        ("Tempo in BPM", "999", "", "Got 999.0; allowed: a number from 40 to 180 bpm, or none."),
        ("Key", "H dur", "", "Got 'H dur'; allowed:"),
        ("Seed", "-1", "7", "Got -1; allowed:"),
        ("How it should sound", "(warm", "warm", "allowed: brackets that match"),
        ("Length in seconds", "0.5", "2", "Got 0.5; allowed:"),
    ):
        field = page.get_by_label(label, exact=True)
        field.fill(wrong)
        page.get_by_role("button", name="Make it").click()
        said = page.locator(".option", has=page.get_by_label(label, exact=True)).locator(".wrong")
        said.get_by_text(words).wait_for()
        assert field.get_attribute("aria-invalid") == "true"
        assert page.evaluate("document.activeElement.name") == field.get_attribute("name")
        field.fill(right)
        assert field.get_attribute("aria-invalid") is None
        assert not said.is_visible()
    field = page.get_by_label("Length in seconds")
    field.press_sequentially("e")
    page.get_by_role("button", name="Make it").click()
    page.get_by_text("This is not a number.").wait_for()


def test_cancel_frees_the_place_and_who_is_refused_hears_when_to_try_again(
    serve: Callable[..., Radio], visit: Callable[..., Any]
):
    radio = serve(engines={"sines": SineEngine, "synth": SineEngine, "slow": Slow}, max_generations=1, max_queue=0)
    one = visit(radio.url + "make")
    two = visit(radio.url + "make", may_complain=True)
    one.get_by_label("Engine", exact=True).select_option("slow")
    make(one, 600)
    one.get_by_text("left.").wait_for()
    assert 0 < float(one.locator(".progress").get_attribute("value")) < 0.5
    make(two)
    two.get_by_text("Try again in about 10 s.").wait_for()
    one.get_by_role("button", name="Cancel").click()
    one.get_by_text("Cancelled.").wait_for()
    assert one.evaluate("document.activeElement.className") == "send"
    for _ in range(50):  # the place is free as soon as the server has seen who went
        make(two)
        two.locator(".made-clip:not([data-phase=making])").wait_for()
        if two.locator(".made-clip").get_attribute("data-phase") == "done":
            break
    two.get_by_text("Your clip is ready.").wait_for()


def test_a_server_that_goes_away_is_told_from_one_that_refuses(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve(engines={"sines": SineEngine, "synth": SineEngine, "slow": Slow})
    page = visit(radio.url + "make", may_complain=True)
    page.get_by_label("Engine", exact=True).select_option("slow")
    make(page, 600)
    page.get_by_text("of 600 s of music in").wait_for()
    radio.stop()
    page.get_by_text("Interrupted after").wait_for()
    make(page)
    page.get_by_text("The server cannot be reached.").wait_for()


def test_a_page_that_comes_before_its_server_asks_again(radio: Radio, visit: Callable[..., Any]):
    page = visit(radio.url + "make", may_complain=True)
    page.route("**/api/engines", lambda route: route.abort())
    page.reload()
    page.get_by_text("The server cannot be reached.").wait_for()
    assert not page.get_by_role("button", name="Make it").is_visible()
    page.unroute("**/api/engines")
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Make it").wait_for()
    assert not page.get_by_text("The server cannot be reached.").is_visible()


def test_it_works_below_a_path_prefix(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve()
    with proxied(radio.port, "/radio") as proxy:
        url = f"http://127.0.0.1:{proxy.port}/radio/"
        page = visit(url)
        page.get_by_role("link", name="Make a clip").click()
        page.get_by_label("Length in seconds").fill("2")
        page.keyboard.press("Enter")
        page.get_by_text("Your clip is ready.").wait_for()
        assert f"{url}api/generate" in page.get_by_label("The same request as a command").input_value()
        page.get_by_role("link", name="Back to the radio").click()
        page.get_by_role("button", name="Play", exact=True).wait_for()
        assert page.url == url
        page.get_by_role("link", name="Make a clip").click()  # away from the radio's events before the proxy ends
        page.get_by_label("Seed").wait_for()


def test_a_public_server_asks_for_the_owners_token(serve: Callable[..., Radio], visit: Callable[..., Any]):
    radio = serve(trusted_proxies="192.0.2.1", token="open sesame")
    page = visit(radio.url + "make", may_complain=True)
    token = page.get_by_label("Admin token")
    make(page)
    page.get_by_text("Making clips here needs the admin token").wait_for()
    token.fill("open says me")
    make(page)
    page.get_by_text("This admin token is wrong.").wait_for()
    token.fill("open sesame")
    make(page)
    page.get_by_text("Your clip is ready.").wait_for()
    line = page.get_by_label("The same request as a command").input_value()
    assert '"Authorization: Bearer $LULLWAVE_TOKEN"' in line
    assert "sesame" not in line
    page.reload()
    token.wait_for()
    assert token.input_value() == "open sesame"  # for this tab alone
    assert page.evaluate("JSON.stringify(localStorage)").find("sesame") == -1


def test_engines_that_are_not_here_are_listed_with_why(
    serve: Callable[..., Radio], visit: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    def class_of(pool: EnginePool, name: str) -> Any:
        if name == "far":
            raise MissingExtra("the engine far", "ai", "torch")
        return SineEngine

    monkeypatch.setattr(EnginePool, "class_of", class_of)
    radio = serve(engines={"sines": SineEngine, "synth": SineEngine, "far": SineEngine})
    page = visit(radio.url + "make")
    page.get_by_text("Unavailable engines").click()
    why: LullwaveError = MissingExtra("the engine far", "ai", "torch")
    page.get_by_text(f"far: {str(why).capitalize()[0]}{str(why)[1:]}.").wait_for()
    assert page.locator("#engine option").all_inner_texts() == ["sines", "synth"]
