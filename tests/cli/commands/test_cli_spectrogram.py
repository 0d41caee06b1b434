"""The spectrogram commands from outside: files in, files out, clear words when it cannot be."""

import os

import numpy as np
import pytest
import soundfile
from forked_program import run_forked
from PIL import Image

from lullwave import Audio, Spectrogram, SpectrogramParams
from lullwave.codecs import Tags, decode, read_tags, write
from lullwave.mastering.loudness import loudness_lufs

RATE = 44100


@pytest.fixture
def lullwave(tmp_path):
    def run(*arguments):
        ran = run_forked(arguments, {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}, tmp_path)
        ran.stdout, ran.stderr = os.fsdecode(ran.stdout), os.fsdecode(ran.stderr)
        return ran

    return run


def chord(seconds=2.0, rate=RATE, channels=1):
    t = np.arange(round(seconds * rate)) / rate
    sound = sum(0.1 * np.sin(2 * np.pi * hz * t) * np.exp(-t) for hz in (220, 277, 330, 440))
    return Audio(np.repeat(sound.astype(np.float32)[:, None], channels, axis=1), rate)


def test_there_and_back(lullwave, tmp_path):
    write(tmp_path / "in.flac", chord())
    made = lullwave("audio-to-image", "--audio", "in.flac", "--image", "out.png")
    assert made.returncode == 0, made.stderr
    image = Image.open(tmp_path / "out.png")
    assert image.size == (201, 512)
    assert SpectrogramParams.from_exif(image.getexif()).rate == RATE
    for name in ("back.wav", "back.mp3", "back.opus"):
        back = lullwave("image-to-audio", "--image", "out.png", "--audio", name)
        assert back.returncode == 0, back.stderr
        sound = decode(tmp_path / name)
        assert abs(sound.duration_s - 2.0) < 0.001
        assert abs(sound.rms_dbfs - chord().rms_dbfs) < 0.5
    shown = lullwave("print-exif", "--image", "out.png").stdout
    assert "SAMPLE_RATE          =           44100" in shown


def test_what_a_file_is_survives_its_conversion(lullwave, tmp_path):
    """Generated sound stays marked as such; other sound never claims it."""
    made = Tags.of_generated("Night", "rainy night", 7, "synth")
    write(tmp_path / "made.mp3", chord(), tags=made)
    write(tmp_path / "song.wav", chord())
    for name, tags in (("made.mp3", made), ("song.wav", Tags("song"))):
        for image in ("a.png", "a.jpg"):
            assert lullwave("audio-to-image", "-a", name, "-i", image).returncode == 0
            assert lullwave("image-to-audio", "-i", image, "-a", "back.ogg").returncode == 0
            found = read_tags(tmp_path / "back.ogg")
            assert found.comment == tags.comment
            assert found.title == (tags.title if image == "a.png" else "a")
        assert lullwave("sample-clips", "-a", name, "-o", f"of {name}", "--duration-ms", 100).returncode == 0
        assert [read_tags(clip) for clip in (tmp_path / f"of {name}").iterdir()] == [tags]


def test_loudness_on_request_and_no_clipping_without(lullwave, tmp_path):
    Spectrogram.from_audio(chord().gain(20)).to_image().save(tmp_path / "loud.png")
    made = lullwave("image-to-audio", "-i", "loud.png", "-a", "loud.wav")
    assert "above full scale were turned down" in made.stdout
    assert 0.9 < np.abs(decode(tmp_path / "loud.wav").samples).max() < 0.999
    made = lullwave("image-to-audio", "-i", "loud.png", "-a", "wanted.flac", "--loudness", "-20")
    assert made.returncode == 0, made.stderr
    assert abs(loudness_lufs(decode(tmp_path / "wanted.flac")) + 20) < 0.1


def test_options_of_the_old_command(lullwave, tmp_path):
    write(tmp_path / "in.wav", chord(rate=48000, channels=2))
    options = "--step-size-ms 5 --num-frequencies 256 --min-frequency 20 --max-frequency 16000 --stereo"
    more = "--window-duration-ms 50 --padded-duration-ms 200 --power-for-image 0.5 --bits 16"
    made = lullwave("audio-to-image", "-a", "in.wav", "-i", "out.png", *options.split(), *more.split())
    assert made.returncode == 0, made.stderr
    image = Image.open(tmp_path / "out.png")
    assert image.size == (401, 512)  # both channels, one above the other
    params = SpectrogramParams.from_exif(image.getexif())
    assert (params.rate, params.stereo, params.step_ms, params.bands) == (48000, True, 5, 256)
    assert (params.low_hz, params.high_hz, params.window_ms, params.padded_ms) == (20, 16000, 50, 200)
    back = lullwave("image-to-audio", "-i", "out.png", "-a", "back.wav", "--quality", "8")
    assert back.returncode == 0, back.stderr
    sound = decode(tmp_path / "back.wav")
    assert (sound.rate, sound.channels) == (48000, 2)
    assert abs(sound.rms_dbfs - chord(rate=48000, channels=2).rms_dbfs) < 0.5


def test_clips_are_as_long_as_asked_and_repeatable(lullwave, tmp_path):
    write(tmp_path / "in.wav", chord())
    for folder in ("one", "two"):
        command = ("sample-clips", "-a", "in.wav", "-o", folder, "--num-clips", 3, "--duration-ms", 500, "--seed", 4)
        assert lullwave(*command).returncode == 0
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert len(names) == 3
    assert names == sorted(path.name for path in (tmp_path / "two").iterdir())
    assert decode(tmp_path / "one" / names[0]).frames == RATE // 2


def test_a_missing_image_is_a_wrong_input(lullwave):
    assert lullwave("print-exif", "--image", "absent.png").returncode == 2


def test_a_bad_file_never_stops_a_batch(lullwave, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    write(tmp_path / "in" / "a.wav", chord())
    write(tmp_path / "in" / "deep" / "b.flac", chord())
    (tmp_path / "in" / "broken.mp3").write_bytes(b"this is no music")
    made = lullwave("audio-to-images-batch", "-a", "in", "-o", "out", "--num-processes", 2)
    assert made.returncode == 1
    assert "2 of 3 files done" in made.stdout
    assert "broken.mp3: cannot decode" in made.stdout
    assert Image.open(tmp_path / "out" / "a.jpg").size == (201, 512)
    assert (tmp_path / "out" / "deep" / "b.jpg").exists()
    old = ("--num-clips-per-file", 1, "--num-threads", 2, "--glob", "**/*.*")
    clips = lullwave(
        "sample-clips-batch", "-a", "in", "-o", "clips", "--duration-ms", 1000, "--extension", "flac", *old
    )
    assert "2 of 3 files done" in clips.stdout
    assert len(list((tmp_path / "clips").rglob("*.flac"))) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("audio-to-image", "-a", "none.wav", "-i", "x.png"), "none.wav"),
        (("audio-to-image", "-a", "in.wav", "-i", "x.gif"), ".png, .jpg"),
        (("audio-to-image", "-a", "in.wav", "-i", "x.png", "--max-frequency", "30000"), "--max-frequency: got 30000"),
        (("image-to-audio", "-i", "in.wav", "-a", "x.wav"), "not an image"),
        (("image-to-audio", "-i", "in.png", "-a", "x.wav", "--quality", "superb"), "quality"),
        (("image-to-audio", "-i", "in.png", "-a", "x.wav", "--quality", "\u00b2"), "quality"),
        (("image-to-audio", "-i", "in.png", "-a", "x.wav", "--device", "nonsense"), "device"),
        (("sample-clips", "-a", "in.wav", "-o", "x", "--duration-ms", "60000"), "--duration-ms: got 60000"),
        (("audio-to-images-batch", "-a", "nowhere", "-o", "x"), "nowhere"),
    ],
)
def test_mistakes_are_told_in_one_line(lullwave, tmp_path, arguments, words):
    write(tmp_path / "in.wav", chord())
    Image.new("RGB", (20, 512), "white").save(tmp_path / "in.png")
    done = lullwave(*arguments)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.wav").exists()


def test_clips_of_surround_sound_are_refused_with_the_way_out(lullwave, tmp_path):
    soundfile.write(tmp_path / "six.wav", np.zeros((44100, 6), np.float32), 44100)
    cut = ("sample-clips", "-a", "six.wav", "-o", "x", "--duration-ms", "500")
    assert "--mono" in lullwave(*cut).stderr
    assert lullwave(*cut, "--mono").returncode == 0


def test_names_that_are_long_or_not_utf8_work_in_every_command(lullwave, tmp_path):
    odd, long = os.fsdecode(b"caf\xe9"), "n" * 250
    (tmp_path / odd).mkdir()
    write(tmp_path / odd / f"{odd}.wav", chord(1.0))
    write(tmp_path / odd / f"{long}.wav", chord(1.0))
    for name in (odd, long):
        made = lullwave("audio-to-image", "-a", f"{odd}/{name}.wav", "-i", f"{name}.png")
        assert made.returncode == 0, made.stderr
    shown = lullwave("print-exif", "-i", f"{odd}.png")
    assert shown.returncode == 0, shown.stderr
    made = lullwave("sample-clips-batch", "-a", odd, "-o", f"clips {odd}", "--duration-ms", 500, "--num-processes", 1)
    assert (made.returncode, made.stderr) == (0, "")
    assert "2 of 2 files done" in made.stdout
    clips = list((tmp_path / f"clips {odd}").iterdir())
    assert [decode(clip).frames for clip in clips] == [RATE // 2] * 2
