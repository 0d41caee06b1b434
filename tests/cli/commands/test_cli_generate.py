"""``lullwave generate``: what it makes, what it keeps, what it refuses."""

import json
import os

import pytest

from lullwave.codecs import decode
from lullwave.mastering import loudness_lufs


def test_a_clip_has_its_length_and_loudness(lullwave, tmp_path):
    ran = lullwave("generate", "lively", "-o", "dawn.flac", "--seconds", "12", "--seed", "3", "--engine", "birdsong")
    assert (ran.returncode, ran.stdout) == (0, b"")
    assert b"seed 3" in ran.stderr
    assert b"x real time" in ran.stderr
    clip = decode(tmp_path / "dawn.flac")
    assert (clip.frames, clip.rate) == (12 * 32000, 32000)
    assert loudness_lufs(clip) == pytest.approx(-15.0, abs=0.3)


def test_the_same_request_gives_the_same_bytes_in_another_process(lullwave, tmp_path):
    for name in ("a.mp3", "b.mp3"):
        assert (
            lullwave("generate", "dawn", "-o", name, "-s", "3", "--seed", "7", "--engine", "birdsong").returncode == 0
        )
    assert (tmp_path / "a.mp3").read_bytes() == (tmp_path / "b.mp3").read_bytes()


def test_unquoted_words_are_one_prompt_that_may_begin_with_a_minus(lullwave):
    common = ("-s", "1", "--seed", "7", "--engine", "birdsong", "--json", "-o")
    asked = {
        "a.wav": ("rainy", "night", "piano"),
        "b.wav": ("-drums,", "piano"),
        "c.wav": ("piano,", "-organ", "-sleepy"),  # not -o rgan
        "d.wav": ("--", "--loud", "-o"),
    }
    for name, words in asked.items():
        split = words.index("--") if "--" in words else len(words)
        ran = lullwave("generate", *words[:split], *common, name, *words[split:])
        assert ran.returncode == 0, ran.stderr
        assert json.loads(ran.stdout)["prompt"] == " ".join(word for word in words if word != "--")


def test_json_tells_what_was_made(lullwave, tmp_path):
    ran = lullwave("generate", "dawn", "-s", "1", "--seed", "7", "--engine", "birdsong", "--format", "flac", "--json")
    made = json.loads(ran.stdout)
    assert (made["file"], made["format"], made["seconds"], made["seed"]) == ("lullwave.flac", "flac", 1.0, 7)
    assert (made["prompt"], made["engine"]) == ("dawn", "birdsong")
    assert decode(tmp_path / made["file"]).frames == 32000
    assert ran.stderr == b""  # stderr is no terminal: no progress bar


def test_without_an_output_the_next_free_name_is_taken(lullwave, tmp_path):
    for _ in range(3):
        assert lullwave("generate", "-s", "1", "--engine", "birdsong", "-q").returncode == 0
    assert sorted(os.listdir(tmp_path)) == ["lullwave-2.mp3", "lullwave-3.mp3", "lullwave.mp3"]


def test_stdout_gets_the_bytes_and_nothing_else(lullwave):
    ran = lullwave("generate", "-o", "-", "--format", "wav", "-s", "2", "--seed", "1", "--engine", "birdsong", "-q")
    assert ran.returncode == 0
    assert ran.stderr == b""
    assert decode(ran.stdout).frames == 64000


def test_options_of_the_engine_are_flags(lullwave, tmp_path):
    common = ("generate", "-s", "2", "--seed", "1", "--engine", "birdsong", "-q", "-o")
    for name, more in {
        "flag.wav": ("--birds", "9"), "pair.wav": ("--option", "birds=9"), "default.wav": (),
    }.items():  # fmt: skip
        assert lullwave(*common, name, *more).returncode == 0
    made = {name: (tmp_path / name).read_bytes() for name in ("flag.wav", "pair.wav", "default.wav")}
    assert made["flag.wav"] == made["pair.wav"] != made["default.wav"]
    shown = lullwave("generate", "--engine", "birdsong", "--help").stdout.decode()
    assert "--birds" in shown
    assert "A whole number from 1 to 12." in " ".join(shown.split())


@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg", "opus"])
def test_every_format(lullwave, tmp_path, suffix):
    assert lullwave("generate", "-o", f"a.{suffix}", "-s", "2", "--engine", "birdsong").returncode == 0
    assert decode(tmp_path / f"a.{suffix}").duration_s == pytest.approx(2.0, abs=1e-3)


WRONG = [
    (("-o", "a.xyz"), "--output: got 'a.xyz'"),
    (("-o", "absent/a.mp3"), "a folder that exists"),
    (("-o", "."), "this is a folder"),
    (("-o", "-"), "--format: stdout has no suffix; name one of wav, flac, mp3"),
    (("-o", "/dev/null", "--format", "wav"), "a regular file"),
    (("-o", "a.mp3", "--format", "aiff"), "--format: got 'aiff'"),
    (("-o", "a.mp3", "--seconds", "0"), "--seconds: got 0.0; allowed: a number from 1 to 3600"),
    (("-o", "a.mp3", "--seed", "-1"), "--seed: got -1"),
    (("-o", "a.mp3", "--lufs", "3"), "--lufs: got 3.0"),
    (("-o", "a.mp3", "--kbps", "77"), "kbps: got 77"),
    (("-o", "a.mp3", "--birds", "99"), "--birds: got 99; allowed: a whole number from 1 to 12"),
    (("-o", "a.mp3", "--option", "cats=1"), "--option: unknown option 'cats'; options: birds"),
    (("-o", "a.mp3", "--option", "birds"), "name=value"),
    (("-o", "a.mp3", "--option", "birds=many"), "birds: got 'many'"),
    (("-o", "a.mp3", "--option", "birds=99"), "--option birds: got 99; allowed: a whole number from 1 to 12"),
    (("-o", "a.mp3", "--midi", "a.mid"), "--midi: the engine 'birdsong' cannot write MIDI"),
    (("-o", "a.mp3", "--stems", "parts"), "--stems: the engine 'birdsong' cannot write stems"),
    (("-o", "a.mid", "--format", "wav", "--midi", "./a.mid"), "a.mid is the file of --output too"),
    (("-o", "-", "--format", "wav", "--json"), "--json: stdout already gets the audio"),
    (("(unbalanced", "-o", "a.mp3"), "prompt: got '(unbalanced'"),
    (("-o", "a.mp3", "--option", "brids=1"), "unknown option 'brids'; did you mean 'birds'? Options: birds"),
    (("-o", "a.mp3", "--seconds", "abc"), "--seconds: got 'abc'; allowed: a number"),
    (("-o", "a.mp3", "--seed", "abc"), "--seed: got 'abc'; allowed: a whole number"),
    (("-o", "a.mp3", "--engine", "theremin"), "no engine 'theremin'; installed: synth"),
    (("-o", "a.mp3", "--engine", "synht"), "no engine 'synht'; did you mean 'synth'? Installed: synth"),
]


@pytest.mark.parametrize(
    ("arguments", "said"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_mistake_is_one_line_and_status_2(lullwave, tmp_path, arguments, said):
    ran = lullwave("generate", "--engine", "birdsong", *arguments)
    line = ran.stderr.decode()
    assert ran.returncode == 2
    assert line.startswith("lullwave: ")
    assert said in line
    assert line.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_an_existing_file_is_replaced_only_by_a_whole_one(lullwave, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"old")
    common = ("generate", "-o", "a.wav", "-s", "1", "--engine", "birdsong")
    for wrong, said in ((("--force", "--birds", "99"), b"birds"), ((), b"--output: a.wav exists")):
        kept = lullwave(*common, *wrong)
        assert kept.returncode == 2
        assert said in kept.stderr
        assert (tmp_path / "a.wav").read_bytes() == b"old"
    assert lullwave(*common, "--force").returncode == 0
    assert os.listdir(tmp_path) == ["a.wav"]
    assert decode(tmp_path / "a.wav").frames == 32000


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_may_not_be_written_to(lullwave, tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    ran = lullwave("generate", "-o", "closed/a.mp3", "--engine", "birdsong")
    assert ran.returncode == 2
    assert b"may be written to" in ran.stderr


def test_audio_is_for_engines_that_listen(lullwave, tmp_path):
    (tmp_path / "a.wav").write_bytes(b"")
    done = lullwave("generate", "-s", "2", "--melody", "a.wav")
    assert done.returncode == 2
    assert b"--melody" in done.stderr
