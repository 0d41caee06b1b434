"""Tags of files, written and read back by other programs' code, and kept when sound is only converted."""

import json

import av
import numpy as np
import pytest

from lullwave import Audio
from lullwave.codecs import FORMATS, Tags, decode, encode, read_tags, write

SOUND = Audio.of(np.random.default_rng(0).standard_normal(8000).astype(np.float32) * 0.1, 48000)


def by_ffmpeg(path) -> dict[str, str]:
    with av.open(str(path)) as file:
        found = {**file.streams.audio[0].metadata, **file.metadata}
    found = {name.lower(): text for name, text in found.items()}
    return {"comment": found.get("description", ""), **found}


@pytest.mark.parametrize("name", FORMATS)
def test_tags_are_read_as_they_were_written(tmp_path, name):
    tags = Tags.of_generated("雨の音 ☕", 'a "b" → c', -7, "riffusion", end_prompt="d", alpha=0.25, end_seed=None)
    path = write(tmp_path / f"clip{FORMATS[name].suffix}", SOUND, tags=tags)
    assert read_tags(path) == tags
    found = by_ffmpeg(path)
    assert (found["title"], found["artist"], found["comment"]) == (tags.title, tags.artist, tags.comment)
    said = json.loads(tags.comment)
    assert (said["generated"], said["end_prompt"], said["alpha"]) == (True, "d", 0.25)
    assert "end_seed" not in said
    assert decode(path).frames == SOUND.frames


@pytest.mark.parametrize("name", FORMATS)
def test_any_text_can_be_written(tmp_path, name):
    odd = "a\0b \udcff \n" + "長" * 20_000
    tags = Tags.of_generated("", odd, end_prompt=odd)
    path = write(tmp_path / f"clip{FORMATS[name].suffix}", SOUND, tags=tags)
    assert decode(path).frames == SOUND.frames
    found = by_ffmpeg(path)
    assert (found["title"], found["comment"]) == (tags.title, tags.comment)
    assert found["title"].startswith("a b ?")
    assert json.loads(found["comment"])["prompt"].endswith("長…")
    write(path, SOUND, tags=Tags("長" * 9000, "a", "c" * 100_000))  # as files of other programs may have
    assert decode(path).frames == SOUND.frames


def test_a_file_without_tags_is_called_by_its_name_and_claims_nothing(tmp_path):
    path = tmp_path / "rain.wav"
    path.write_bytes(encode(SOUND, "wav"))
    assert read_tags(path) == Tags("rain")
    (tmp_path / "no.sound").write_bytes(b"nothing at all")
    assert read_tags(tmp_path / "no.sound") == Tags("no")
    assert read_tags(tmp_path / "absent.mp3") == Tags("absent")


@pytest.mark.parametrize("version", ["3", "4"])
@pytest.mark.parametrize("title", ["Rain", "雨の音"])
def test_id3_tags_of_another_program(tmp_path, version, title):
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w", options={"id3v2_version": version}) as file:
        file.metadata.update({"title": title, "artist": "Zoë", "comment": "by hand", "album": "x"})
        stream = file.add_stream("mp3", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(SOUND.samples.T.copy(), "fltp", "mono")
        frame.rate = 48000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    found = read_tags(path)
    assert (found.title, found.artist) == (title, "Zoë")
    assert found.comment in ("by hand", "")  # FFmpeg writes comments in a frame of its own kind
    whole = path.read_bytes()
    for size in range(3, 60):  # cut anywhere, damaged anywhere
        (tmp_path / "b.mp3").write_bytes(whole[:size])
        assert read_tags(tmp_path / "b.mp3").title
        (tmp_path / "b.mp3").write_bytes(whole[:size] + b"\xff\xfe\x00" + whole[size:])
        assert read_tags(tmp_path / "b.mp3").title


def test_tags_of_a_format_that_libsndfile_lacks(tmp_path):
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as file:
        file.metadata["title"] = "Rain"
        stream = file.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(SOUND.samples.T.copy(), "fltp", "mono")
        frame.rate = 48000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    assert read_tags(path).title == "Rain"
