"""``/current.mp3``: whole, different after each slot, with ranges that never splice two clips."""

import pytest
from radio_server import read_exactly, serving
from sine_engine import RATE

from lullwave.archive.clips import ClipStore
from lullwave.codecs import decode
from lullwave.settings import load

CLIP_S = 15.0  # instead of a minute


@pytest.fixture(scope="module")
def radio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("current"), first_clip=None, clip_s=CLIP_S) as served:
        yield served


def next_clip(served, after: str) -> str:
    """Let a slot pass; the ETag of the clip that came of it."""
    ready = []
    newest = served.app.state.services.channels.clips.newest
    with served.listening() as stream:
        read_exactly(stream, 1000)
        while not ready:
            served.clock.advance(5)
            read_exactly(stream, 100_000)
            clip = served.app.state.services.channels.clips.newest
            if clip is not newest:
                ready.append(f'"{clip.digest}"')
    assert ready[0] != after
    return ready[0]


def test_the_first_clip_is_whole_and_as_long_as_set(radio):
    assert load({}).clip_s == 60.0
    response, data = radio.ask("/current.mp3")
    assert response.status == 200
    assert response.headers["Content-Type"] == "audio/mpeg"
    assert int(response.headers["Content-Length"]) == len(data)
    sound = decode(data)
    assert sound.duration_s == pytest.approx(CLIP_S, abs=0.1)
    assert abs(float(sound.samples[0, 0])) < 0.01
    assert sound[RATE : 2 * RATE].rms_dbfs > -40
    assert radio.ask("/current.mp3?t=123")[1] == data
    head, nothing = radio.ask("/current.mp3", "HEAD")
    assert (head.headers["Content-Length"], head.headers["ETag"], nothing) == (
        str(len(data)),
        response.headers["ETag"],
        b"",
    )


def test_ranges_and_conditions(radio):
    response, data = radio.ask("/current.mp3")
    tag, size = response.headers["ETag"], len(data)
    assert tag.startswith('"')

    def ask(**headers):
        return radio.ask("/current.mp3", headers={k.replace("_", "-"): v for k, v in headers.items()})

    for asked, start, stop in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, size),
        ("bytes=-50", size - 50, size),
        (f"bytes=10-{size * 2}", 10, size),
        ("bytes=10-" + "9" * 30, 10, size),
        ("bytes=" + "0" * 30 + "10-20", 10, 21),
        ("bytes=-" + "9" * 5000, 0, size),
    ):
        part, got = ask(Range=asked)
        assert part.status == 206
        assert part.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{size}"
        assert part.headers["ETag"] == tag
        assert got == data[start:stop]
    part, got = ask(Range=f"bytes={size}-")
    assert (part.status, part.headers["Content-Range"], got) == (416, f"bytes */{size}", b"")
    assert ask(Range="bytes=5-2")[0].status == 200
    assert ask(Range="bytes=0-1,5-6")[1] == data
    assert ask(Range="lines=0-1")[1] == data
    assert ask(Range="bytes=0-9", If_Range=tag)[1] == data[:10]
    assert ask(Range="bytes=0-9", If_Range='"other"')[1] == data
    assert ask(Range="bytes=0-9", If_Range="W/" + tag)[1] == data
    unchanged, nothing = ask(If_None_Match=tag)
    assert (unchanged.status, nothing) == (304, b"")
    assert ask(If_None_Match='"other"')[0].status == 200


def test_each_slot_brings_another_clip_and_a_range_never_splices(radio):
    response, data = radio.ask("/current.mp3")
    old = response.headers["ETag"]
    new = next_clip(radio, old)
    response, fresh = radio.ask("/current.mp3", headers={"Range": "bytes=1000-", "If-Range": old})
    assert (response.status, response.headers["ETag"]) == (200, new)
    assert fresh != data
    assert decode(fresh).duration_s == pytest.approx(CLIP_S, abs=0.1)
    assert next_clip(radio, new) != old


def test_a_clip_has_its_length_to_the_frame(radio):
    """infinifi's page fades to silence at 60 s, and asks for the next clip when this one has ended."""
    for _ in range(2):
        assert decode(radio.ask("/current.mp3")[1]).frames == CLIP_S * RATE
        next_clip(radio, "")


def test_who_fetches_clips_keeps_the_station_awake(radio):
    radio.ask("/current.mp3")
    radio.clock.advance(70)  # without a request it sleeps after 60
    assert radio.json("/api/stations")["stations"][0]["state"] == "on air"


def test_after_a_restart_the_newest_clip_is_there_at_once(tmp_path):
    with serving(tmp_path) as served:
        first = served.ask("/current.mp3")[0].headers["ETag"]
    files = list((tmp_path / "clips" / "piano").iterdir())
    assert len(files) == 1
    with serving(tmp_path) as served:
        assert served.ask("/current.mp3")[0].headers["ETag"] == first


def test_clips_are_bounded_in_number_and_bytes_and_damage_is_noticed(tmp_path, caplog):
    store = ClipStore(tmp_path / "clips", max_clips=3, max_bytes=1000)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / ".0123456789abcdef.part").touch()  # of a server that was killed
    for n in range(5):
        store.add(bytes([n]) * 100)
    assert [p.name[:8] for p in store.files()] == ["00000002", "00000003", "00000004"]
    assert len(list((tmp_path / "clips").iterdir())) == 3
    store.add(b"x" * 950)
    assert [p.name[:8] for p in store.files()] == ["00000005"]
    (tmp_path / "clips" / "notes.txt").write_text("not ours")
    store.files()[0].write_bytes(b"damaged")
    again = ClipStore(tmp_path / "clips", 3, 1000)
    assert again.newest is None
    assert "damaged" in caplog.text
    assert (tmp_path / "clips" / "notes.txt").exists()
