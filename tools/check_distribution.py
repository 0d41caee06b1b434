"""Builds the wheel and the source archive, installs the wheel in a clean environment and makes music with it.

Run in the root of the repository: ``make dist-check``; it needs a package index. It checks that both archives hold all
files of the package (pages, fonts and seed images included), that the installed package is typed, generates and
serves. The wheel is built from the source archive.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

CHECK = """
import re, subprocess, sys, urllib.request
from importlib.metadata import version
from pathlib import Path
import lullwave
from lullwave.codecs import decode

home = Path(lullwave.__file__).parent
assert "site-packages" in str(home), home
assert version("lullwave") == lullwave.__version__ == sys.argv[1], version("lullwave")
assert (home / "py.typed").is_file()
program = Path(sys.executable).with_name("lullwave")
subprocess.run([program, "generate", "night piano", "--seconds", "5", "--seed", "7", "-o", "night.mp3"], check=True)
assert decode(Path("night.mp3")).frames == 5 * 44100
serving = subprocess.Popen(
    [program, "serve", "--port", "0", "--data-dir", "data"], stdout=subprocess.PIPE, text=True, bufsize=1
)
try:
    address = re.search(r"http://\\S+/", serving.stdout.readline())[0]
    for path in ("", "make", "docs", "healthz", "static/fonts/lull-pixel.woff", "api/riffusion/seed-images/og_beat"):
        with urllib.request.urlopen(address + path) as reply:
            assert reply.status == 200 and reply.read(), path
finally:
    serving.terminate()
    serving.wait()
"""


def main() -> None:
    """Build, install, check; exits with an error message at the first fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the archives go")
    out = parser.parse_args().out
    version = subprocess.run(
        [sys.executable, "-c", "import lullwave; print(lullwave.__version__)"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        python = _environment(work / "build", "build")
        subprocess.run([python, "-m", "build", "--outdir", out, ROOT], check=True)  # the wheel is built from the sdist
        wheel, archive = out / f"lullwave-{version}-py3-none-any.whl", out / f"lullwave-{version}.tar.gz"
        check_contents(wheel, archive)
        clean = _environment(work / "clean", wheel)
        subprocess.run([clean, "-c", CHECK, version], cwd=work, check=True)
    print(f"{wheel.name} and {archive.name} are complete; the installed wheel generates and serves.")


def check_contents(wheel: Path, archive: Path) -> None:
    """Compare the archives with the files of the repository.

    Raises:
        SystemExit: a file is missing; the message names it.
    """
    with zipfile.ZipFile(wheel) as opened:
        packed = set(opened.namelist())
    with tarfile.open(archive) as opened:
        sources = {name.partition("/")[2] for name in opened.getnames()}
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lullwave").rglob("*") if path.is_file()}
    wanted = {name for name in files if "__pycache__" not in name}
    for name, held in ((wheel.name, packed), (archive.name, sources)):
        if missing := sorted(wanted - held):
            raise SystemExit(f"{name} lacks {', '.join(missing[:5])}")
    pages = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE", "docs/README.md", "Makefile"}
    if missing := sorted(pages - sources):
        raise SystemExit(f"{archive.name} lacks {', '.join(missing)}")
    if foreign := sorted(name for name in packed if not name.startswith(("lullwave/", "lullwave-"))):
        raise SystemExit(f"{wheel.name} holds files outside the package: {', '.join(foreign[:5])}")


def _environment(folder: Path, *packages: str | Path) -> Path:
    """Make a virtual environment with these packages; returns its Python."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    return python


if __name__ == "__main__":
    main()
