"""The command line from outside: what it makes, what it says, how it ends."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lullwave.codecs import decode
from lullwave.mastering import loudness_lufs

ROOT = Path(__file__).parents[2]
BIRDSONG = ROOT / "examples" / "lullwave-birdsong"


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    """One in which the example engine is installed: light, quick, and a third party."""
    folder = tmp_path_factory.mktemp("plugins")
    info = folder / "lullwave_birdsong-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lullwave-birdsong\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[lullwave.engines]\nbirdsong = lullwave_birdsong:Birdsong\n")
    (folder / "lullwave_birdsong.py").write_text((BIRDSONG / "lullwave_birdsong.py").read_text())
    path = os.pathsep.join([str(folder), str(ROOT)])
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "100", "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}


@pytest.fixture
def lullwave(environment, tmp_path):
    """Runs the program in an empty folder."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "lullwave", *arguments]
        return subprocess.run(command, capture_output=True, env=environment, cwd=tmp_path, timeout=120)

    return run


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("genrate",), b"generate"), (("generate", "--secnds", "3"), b"--seconds"), (("generate", "-k", "3"), b"-k")],
)
def test_mistyped_commands_and_flags_get_a_suggestion(lullwave, arguments, said):
    ran = lullwave(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr.splitlines()[-1]


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
    assert "a whole number from 1 to 12" in " ".join(shown.split())


@pytest.mark.parametrize("suffix", ["wav", "mp3", "ogg", "opus"])
def test_every_format(lullwave, tmp_path, suffix):
    assert lullwave("generate", "-o", f"a.{suffix}", "-s", "2", "--engine", "birdsong").returncode == 0
    assert decode(tmp_path / f"a.{suffix}").duration_s == pytest.approx(2.0, abs=1e-3)


WRONG = [
    (("-o", "a.xyz"), "--output: got 'a.xyz'"),
    (("-o", "absent/a.mp3"), "a folder that exists"),
    (("-o", "."), "this is a folder"),
    (("-o", "-"), "--format"),
    (("-o", "/dev/null", "--format", "wav"), "a regular file"),
    (("-o", "a.mp3", "--format", "aiff"), "--format: got 'aiff'"),
    (("-o", "a.mp3", "--seconds", "0"), "--seconds: got 0.0; allowed: a number from 1 to 3600"),
    (("-o", "a.mp3", "--seed", "-1"), "--seed: got -1"),
    (("-o", "a.mp3", "--lufs", "3"), "--lufs: got 3.0"),
    (("-o", "a.mp3", "--kbps", "77"), "kbps: got 77"),
    (("-o", "a.mp3", "--birds", "99"), "options.birds: got 99; allowed: a whole number from 1 to 12"),
    (("-o", "a.mp3", "--option", "cats=1"), "one of birds"),
    (("-o", "a.mp3", "--option", "birds"), "name=value"),
    (("-o", "a.mp3", "--option", "birds=many"), "birds: got 'many'"),
    (("-o", "a.mp3", "--midi", "a.mid"), "--midi: the engine 'birdsong' cannot write MIDI"),
    (("-o", "a.mp3", "--stems", "parts"), "--stems: the engine 'birdsong' cannot write stems"),
    (("-o", "a.mid", "--format", "wav", "--midi", "./a.mid"), "a.mid is the file of --output too"),
    (("-o", "-", "--format", "wav", "--json"), "--json: stdout already gets the audio"),
    (("(unbalanced", "-o", "a.mp3"), "prompt: got '(unbalanced'"),
    (("-o", "a.mp3", "--engine", "theremin"), "no engine 'theremin'; installed: synth"),
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


@pytest.mark.parametrize("arguments", [("generate", "--nonsense"), ("nonsense",), ("generate", "--seconds", "long")])
def test_what_does_not_parse_is_status_2_without_a_traceback(lullwave, arguments):
    ran = lullwave(*arguments)
    assert ran.returncode == 2
    assert b"Error: " in ran.stderr
    assert b"Traceback" not in ran.stderr


def test_verbose_shows_where(lullwave):
    assert b"Traceback" not in lullwave("engines", "theremin").stderr
    assert b"Traceback" in lullwave("--verbose", "engines", "theremin").stderr


def test_help_and_version_import_nothing_heavy(environment):
    code = (
        "import sys, lullwave.cli\n"
        "try: lullwave.cli.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'numpy', 'scipy', 'torch', 'fastapi', 'soundfile', 'pydantic_settings'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    for flag, said in (("--help", "generate"), ("--version", "lullwave ")):
        ran = subprocess.run([sys.executable, "-c", code, flag], capture_output=True, env=environment, timeout=60)
        assert ran.returncode == 0, ran.stderr.decode()
        assert said in ran.stdout.decode()


def test_help_of_generate_imports_no_torch(environment):
    code = (
        "import sys, lullwave.cli\n"
        "try: lullwave.cli.main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, "generate", "--help"], capture_output=True, env=environment, timeout=60
    )
    assert ran.returncode == 0, ran.stderr.decode()
    assert b"--seconds" in ran.stdout


def test_engines_lists_and_describes(lullwave):
    overview = lullwave("engines").stdout.decode()
    assert "synth" in overview
    assert "birdsong" in overview
    one = lullwave("engines", "birdsong").stdout.decode()
    assert "how many birds sing" in one
    assert "from 1 to 12" in one


def test_ctrl_c_ends_it_with_nothing_half_written(environment, tmp_path):
    command = [sys.executable, "-m", "lullwave", "--verbose", "generate", "-o", "a.wav", "-s", "3600", "--birds", "12"]
    # Long clips are written while they are made, so a file is being written once one is there.
    with subprocess.Popen(
        [*command, "--engine", "birdsong"], env=environment, cwd=tmp_path, stderr=subprocess.PIPE
    ) as running:
        while not any(name.endswith(".part") for name in os.listdir(tmp_path)):
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=20)[1]
    assert running.returncode in (130, -signal.SIGINT)  # the same to a shell
    assert b"Traceback" not in said
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_is_no_fault(environment):
    command = [sys.executable, "-m", "lullwave", "generate", "-o", "-", "--format", "wav", "-s", "60", "-q"]
    with subprocess.Popen(
        [*command, "--engine", "birdsong"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert isinstance(running.stdout, io.BufferedReader)
        running.stdout.read(100)
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 141


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


def test_models_are_listed_and_wrong_names_explained(lullwave):
    assert b"lullwave models pull" in lullwave("models", "list").stdout
    assert b"neither a directory" in lullwave("models", "path", "nonsense").stderr
    done = lullwave("models", "remove", "some/model")
    assert done.returncode == 2
    assert b"no installed model" in done.stderr
    assert b"make-random" in lullwave("models", "--help").stdout


def test_the_environment_says_how_an_inference_server_loads_its_engine(environment, tmp_path):
    command = [sys.executable, "-m", "lullwave", "inference", "--engine", "birdsong", "--port", "0"]
    told = environment | {"LULLWAVE_INFERENCE_OPTION": "nests=3 eggs=4"}
    ran = subprocess.run(command, capture_output=True, env=told, cwd=tmp_path, timeout=120)
    assert ran.returncode == 2
    assert b"nests" in ran.stderr
    assert b"Traceback" not in ran.stderr
