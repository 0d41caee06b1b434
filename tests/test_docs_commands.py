"""Every command of the documentation runs as printed, in a copy of the repository.

``NOT_RUN`` lists the commands that need a package index, a model hub, root, Docker or a second machine, and why. These
are only parsed: ``lullwave`` commands by the real command line, ``make`` targets by ``make --dry-run``, the rest by the
shell. Every other command is executed, page by page and in order: by the shell on the two pages that a newcomer
follows, elsewhere ``lullwave`` alone by a process forked with its modules loaded, which takes a fifth of the time.
Servers start, answer and stop; ports are free ones. Pages that read what a station played get a few seconds of it and
one of its times. Certificates are self-signed. Music that a page wants longer than a few seconds is made so long
(``shorter``).
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import tomllib
import urllib.request
import venv
from pathlib import Path
from urllib.error import URLError

import pytest
import typer
from certificates import make_certificate
from forked_program import run_forked
from markdown_pages import ROOT, Page, pages

from lullwave.cli.app import app
from lullwave.settings import load

START_S = 60  # longest start of a server, seconds
COMMAND_S = 120  # longest run of one command, seconds
PIECE_BYTES = 32_000  # read from the stream at a time until the history lists a piece: about two seconds
MUSIC_S = 3  # longest music that is made
LENGTHS = re.compile(r'(?:--seconds |\bseconds=|"duration_s": )(\d+)\b')
LEFT_OUT = ("lullwave/", "tests/")  # of the copy of the repository
BY_SHELL = ("README.md", "docs/use/quick-start.md")  # pages whose every command the shell runs

SELF_SIGNED = ssl.create_default_context()
SELF_SIGNED.check_hostname, SELF_SIGNED.verify_mode = False, ssl.CERT_NONE

HUB = "needs a checkpoint from the Hugging Face Hub"
INDEX = "needs a package index"
ROOT_RIGHTS = "needs root"
DOCKER = "needs Docker"
PEER = "needs a second machine"
NOT_RUN = [  # regular expression that matches the whole command, reason
    (r"make (run|test|test-ray|check|dist-check|native)\b.*", "installs packages, or takes over a minute"),
    (r"python3 -m venv .*", "the test prepares .venv, without a package index"),
    (r"(\S*/)?pip install .*", INDEX),
    (r"sudo .*|sudo .* && sudo .*|systemctl .*", ROOT_RIGHTS),
    (r"(\w+=\S* )*docker .*", DOCKER),
    (r"lullwave models pull .*", HUB),
    (r"lullwave \w+ .*(facebook/musicgen|--engine (musicgen|riffusion|stable-audio|diffusers)).*", HUB),
    (r"lullwave cluster .*|lullwave serve --cluster .*", "starts Ray: tests/cluster does"),
    (r"lullwave play .*", "needs a sound output, or an Icecast server"),
    (r"lullwave riff .*", HUB + "; stems downloads a model"),
    (r".*ws://gpu\.example:8001 .*lullwave serve|lullwave serve --relay .*|.*lullwave serve --store s3:.*", PEER),
    (r"LULLWAVE_DATABASE_URL=.* lullwave serve", PEER),
    (r"lullwave serve --store file:.*", "writes to /srv and /var/lib"),
]


def why_not(command: str) -> str | None:
    """The reason for which a command is only parsed; None if it is executed."""
    bare = command.split("  #")[0].strip()
    return next((reason for pattern, reason in NOT_RUN if re.fullmatch(pattern, bare, re.S)), None)


def arguments_of(command: str) -> list[str] | None:
    """The arguments of a command that is ``lullwave`` alone; None if the shell has to run it."""
    lexer = shlex.shlex(command.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    needs_shell = "$" in command or any(set(word) <= set("();<>|&") for word in words)
    return None if needs_shell or words[0] != "lullwave" else words[1:]


def shorter(code: str) -> str:
    """A command or a program that makes ``MUSIC_S`` of music at most, and expects as much."""
    for length in {*LENGTHS.findall(code)}:
        if int(length) > MUSIC_S:
            code = re.sub(rf"\b{length}\b", str(MUSIC_S), code)
    return code


PAGES = [page for page in pages() if page.commands()]
RUN = [page for page in PAGES if any(why_not(command) is None for command in page.commands())]
PARSED = [(page.name, command) for page in PAGES for command in page.commands() if why_not(command)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    """A copy of the repository's files, with an environment ``.venv`` in which this tree's package is installed.

    The package itself is not copied, as in an editable installation: its compiled modules serve all pages.
    """
    copy = tmp_path_factory.mktemp("checkout") / "lullwave"
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True)
    if listed.returncode == 0:
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file() and not name.startswith(LEFT_OUT):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, copy / name)
    else:  # an unpacked source archive
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", *(name[:-1] for name in LEFT_OUT)))
    venv.create(copy / ".venv", symlinks=True, with_pip=False)
    library = next((copy / ".venv").glob("lib/python3*/site-packages"))
    outer = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (library / "outer.pth").write_text("\n".join([str(ROOT), *outer]))
    program = copy / ".venv" / "bin" / "lullwave"
    program.write_text(
        f"#!{copy}/.venv/bin/python\nfrom lullwave.cli import main\nif __name__ == '__main__':\n    main()\n"
    )
    program.chmod(0o755)
    return copy


class Terminal:
    """Runs the commands of one page in order, in one directory; stops its servers at the end."""

    def __init__(self, directory: Path, home: Path) -> None:
        self.directory = directory
        self.by_shell = False  # else ``lullwave`` alone is run by a forked process
        self.radio, self.inference = free_port(), free_port()
        self._servers: dict[int, subprocess.Popen[bytes]] = {}
        self._played: list[str] = []  # times that the history lists, newest first
        home.mkdir()
        (home / ".curlrc").write_text("fail\nsilent\nshow-error\n")  # an error status fails the command
        self.environment = {
            "PATH": f"{directory}/.venv/bin:{os.environ['PATH']}",
            "HOME": str(home),
            "CURL_HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "LULLWAVE_PORT": str(self.radio),
            "LULLWAVE_INFERENCE_PORT": str(self.inference),
            "LULLWAVE_STATIONS": '[{"id": "piano"}]',  # one instead of five, to start quickly, with a short first clip
            "LULLWAVE_CLIP_S": "5",
            "LULLWAVE_MAX_AWAKE": "8",  # not measured
            "OMP_NUM_THREADS": "1",
            "NO_COLOR": "1",
            "LANG": "C.UTF-8",
        }

    def run(self, command: str) -> None:
        """Run a command to its end, or start a server and wait until it answers."""
        command = shorter(command).replace("localhost:8000", f"localhost:{self.radio}")
        if re.match(r"lullwave (history|replay)\b", command) and "--server" not in command:
            command = re.sub(r"(replay piano) \S+", rf"\1 {self._time_on_air()}", command)
        server = re.search(r"lullwave (serve|inference)\b(?!.*--help)", command)
        if server:
            port = self.radio if server[1] == "serve" else self.inference
            self._certify(command)
            self._start(re.sub(r"--port \d+", f"--port {port}", command), port)
        elif command.startswith("pip install ./examples/"):
            self._install_engine(command.split()[2])
        else:
            arguments = None if self.by_shell else arguments_of(command)
            if arguments is not None:
                done = self._forked(arguments)
            else:
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], **self._where(), timeout=COMMAND_S)
            assert done.returncode == 0, f"{command}\n{done.stdout.decode()}{done.stderr.decode()}"

    def close(self) -> None:
        """Stop the servers; each must end by SIGTERM alone."""
        for port in list(self._servers):
            self._stop(port)

    def _certify(self, command: str) -> None:
        """Write the certificate and the key that the command names."""
        names = re.search(r"--tls-cert (\S+) --tls-key (\S+)", command)
        if names:
            for made, name in zip(make_certificate(self.directory / "made"), names.groups(), strict=True):
                made.rename(self.directory / name)

    def _time_on_air(self) -> str:
        """A time at which the station played; it plays until the history lists one."""
        if not self._played:
            self._start("lullwave serve", self.radio)
            with urllib.request.urlopen(f"http://127.0.0.1:{self.radio}/stream.mp3", timeout=START_S) as stream:
                while not self._played:
                    assert stream.read(PIECE_BYTES)
                    listed = self._forked(["history", "--json"])
                    self._played = [entry["time"] for entry in json.loads(listed.stdout or "[]")]
            self._stop(self.radio)
        return self._played[-1]

    def _forked(self, arguments: list[str]) -> subprocess.CompletedProcess[bytes]:
        environment = {**self.environment, "PYTHONPATH": str(self._library)}
        return run_forked(arguments, environment, self.directory, COMMAND_S)

    @property
    def _library(self) -> Path:
        """Where the environment has its packages."""
        return next((self.directory / ".venv").glob("lib/python3*/site-packages"))

    def _where(self) -> dict:
        return {"cwd": self.directory, "env": self.environment, "capture_output": True}

    def _start(self, command: str, port: int) -> None:
        self._stop(port)
        log = open(self.directory / f"{port}.log", "ab")  # noqa: SIM115  (closed with the server)
        self._servers[port] = process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=self.directory,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        give_up = time.monotonic() + START_S
        while not self._answers(port):
            said = (self.directory / f"{port}.log").read_text()
            assert process.poll() is None, f"{command}\n{said}"
            assert time.monotonic() < give_up, f"{command}: no answer\n{said}"
            time.sleep(0.1)

    def _answers(self, port: int) -> bool:
        encrypted = "--tls-cert" in " ".join(map(str, self._servers[port].args))  # type: ignore[arg-type]
        address = f"{'https' if encrypted else 'http'}://127.0.0.1:{port}/healthz"
        try:
            with urllib.request.urlopen(address, timeout=5, context=SELF_SIGNED) as reply:
                return bool(reply.status == 200)
        except (URLError, ConnectionError, TimeoutError) as error:
            return getattr(error, "code", 0) == 403  # it answers, but not to this host name

    def _stop(self, port: int) -> None:
        process = self._servers.pop(port, None)
        if process is not None:
            os.killpg(process.pid, signal.SIGTERM)
            said = process.wait(30)
            assert said in (0, -signal.SIGTERM), (self.directory / f"{port}.log").read_text()

    def _install_engine(self, folder: str) -> None:
        """What ``pip install`` does with a package of one module and an entry point, without a package index."""
        source = self.directory / folder
        project = tomllib.loads((source / "pyproject.toml").read_text())["project"]
        library = self._library
        info = library / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: 1\n")
        (points,) = project["entry-points"].items()
        lines = [f"[{points[0]}]", *(f"{name} = {value}" for name, value in points[1].items())]
        (info / "entry_points.txt").write_text("\n".join([*lines, ""]))
        for module in source.glob("*.py"):
            shutil.copy(module, library)


@pytest.fixture
def terminal(checkout, tmp_path):
    """A terminal in a copy of the checkout."""
    directory = tmp_path / "lullwave"
    shutil.copytree(checkout, directory, symlinks=True)
    program = directory / ".venv" / "bin" / "lullwave"
    program.write_text(program.read_text().replace(str(checkout), str(directory)))
    opened = Terminal(directory, tmp_path / "home")
    yield opened
    opened.close()


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_commands_run_as_printed(page: Page, terminal: Terminal):
    terminal.by_shell = page.name in BY_SHELL
    for command in page.commands():
        if why_not(command) is None or command.startswith("pip install ./examples/"):
            terminal.run(command)


@pytest.mark.parametrize(("page", "command"), PARSED, ids=lambda value: value.split("  #")[0][:70])
def test_commands_that_are_not_run_parse(page: str, command: str, checkout: Path, monkeypatch):
    done = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    words = shlex.split(command, comments=True)
    while re.match(r"\w+=", words[0]):
        words.pop(0)
    for word in words:
        if word.startswith(("deploy/", "./examples/")) and "inference-token" not in word:
            assert (ROOT / word).exists(), word
    if words[0] == "make":
        dry = subprocess.run(["make", "--dry-run", *words[1:]], cwd=checkout, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr
    elif words[0].endswith("lullwave"):
        monkeypatch.chdir(checkout)
        arguments = words[1:]
        context = typer.main.get_command(app).make_context("lullwave", arguments)
        while hasattr(context.command, "resolve_command"):
            _, command_, arguments = context.command.resolve_command(context, [*context._protected_args, *context.args])
            context = command_.make_context(command_.name, arguments, parent=context)


@pytest.mark.parametrize("page", [p for p in pages() if p.fences("python")], ids=lambda page: page.name)
def test_python_examples_run(page: Page, terminal: Terminal):
    for command in page.commands():
        if re.match(r"lullwave serve\b(?!.*--help)", command):  # the code talks to it
            terminal.run(command)
    code = shorter("\n".join(page.fences("python"))).replace("localhost:8000", f"localhost:{terminal.radio}")
    done = subprocess.run([terminal.directory / ".venv/bin/python", "-c", code], **terminal._where(), timeout=COMMAND_S)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("page", [p for p in pages() if p.fences("toml")], ids=lambda page: page.name)
def test_settings_files_in_the_docs_load(page: Page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in page.fences("toml"):
        if "[[stations]]" in block:
            (tmp_path / "lullwave.toml").write_text(block)
            assert load().stations


@pytest.mark.parametrize("page", [p for p in pages() if p.fences("ini")], ids=lambda page: page.name)
def test_environment_files_in_the_docs_name_settings(page: Page, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    for block in page.fences("ini"):
        for line in block.splitlines():
            if not line.startswith("#"):
                monkeypatch.setenv(*line.split("=", 1))
    load()
    assert not caplog.records  # a variable that sets nothing is reported
