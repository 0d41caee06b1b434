"""The program as a whole: help, version, mistyped words, exit statuses, interrupts."""

import io
import os
import re
import signal
import subprocess
import sys

import pytest

from lullwave.cli.app import COMMANDS


@pytest.mark.parametrize("arguments", [("generate", "--nonsense"), ("nonsense",), ("generate", "--seconds", "long")])
def test_what_does_not_parse_is_status_2_without_a_traceback(lullwave, arguments):
    ran = lullwave(*arguments)
    assert ran.returncode == 2
    assert b"Error: " in ran.stderr or ran.stderr.startswith(b"lullwave: --seconds: got 'long'; allowed: a number")
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("genrate",), b"generate"), (("generate", "--secnds", "3"), b"--seconds"), (("generate", "-k", "3"), b"-k")],
)
def test_mistyped_commands_and_flags_get_a_suggestion(lullwave, arguments, said):
    ran = lullwave(*arguments)
    assert ran.returncode == 2
    assert said in ran.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "variables", "said"),
    [
        (("serve", "--port", "70000"), {}, "--port: got 70000"),
        (("serve",), {"LULLWAVE_PORT": "70000"}, "port: got '70000'"),
        (("replay", "piano", "noon"), {}, "TIME: got 'noon'"),
        (("audio-to-image", "-a", "a.wav", "-i", "a.gif"), {}, "--image: got 'a.gif'"),
        (("sample-clips", "-a", "a.wav", "-o", "clips", "--extension", "mp9"), {}, "--extension: got 'mp9'"),
    ],
)
def test_an_error_names_what_the_command_line_gave_as_help_does(lullwave, arguments, variables, said):
    ran = lullwave(*arguments, **variables)
    assert ran.returncode == 2
    assert ran.stderr.decode().splitlines()[-1].startswith(f"lullwave: {said}")


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


def test_every_command_has_help_by_h_and_its_summary_in_the_list(lullwave):
    listed = " ".join(lullwave("-h").stdout.decode().split())
    assert listed == " ".join(lullwave("--help").stdout.decode().split())
    for command in COMMANDS:
        shown = lullwave(command, "-h")
        assert shown.returncode == 0, command
        summary = shown.stdout.decode().split("\n\n")[1]
        assert " ".join(summary.split()) in listed


def test_the_version_has_a_short_flag(lullwave):
    assert lullwave("-V").stdout == lullwave("--version").stdout == lullwave("-V").stdout
    assert re.fullmatch(rb"lullwave \d+\.\d+\.\d+\S*\s+", lullwave("-V").stdout)


def test_no_color_is_obeyed_even_on_a_terminal(lullwave):
    color = re.compile(rb"\x1b\[[\d;]*(?:3|4|9|10)[0-7]m")
    for arguments in (("engines",), ("engines", "theremin"), ("genrate",), ("-h",)):
        ran = lullwave(*arguments, FORCE_COLOR="1")
        assert not color.search(ran.stdout + ran.stderr)


def test_one_variable_moves_everything_that_is_kept(environment, tmp_path):
    code = (
        "from lullwave.checkpoints import models_dir; from lullwave.settings import load\n"
        "print(models_dir(), load().paths.history, load().paths.seed_images, sep='\\n')\n"
    )
    told = {name: value for name, value in environment.items() if not name.startswith("LULLWAVE_")}
    told |= {"LULLWAVE_DATA_DIR": str(tmp_path / "data")}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=told, timeout=60)
    assert ran.stdout.split() == [
        str(tmp_path / "data" / name) for name in ("models", "history.sqlite3", "seed-images")
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("volume = 3", "unknown setting 'volume'. See docs/run/settings.md"),
        ("prot = 1", "unknown setting 'prot'; did you mean 'port'? See docs/run/settings.md"),
    ],
)
def test_a_mistyped_setting_gets_a_suggestion(lullwave, tmp_path, line, said):
    (tmp_path / "lullwave.toml").write_text(line)
    ran = lullwave("serve", "--config", "lullwave.toml")
    assert ran.returncode == 2
    assert said in ran.stderr.decode()
