"""The repository checks itself: what README says exists, and the package stays light."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def shell_lines(path: Path) -> list[str]:
    """The command lines of a page's shell blocks."""
    blocks = re.findall(r"```(?:sh|bash|console)\n(.*?)```", path.read_text(), re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line and not line.startswith("#")]


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_readme_begins_with_the_two_commands():
    first = shell_lines(ROOT / "README.md")
    assert first[:2] == ["make run", "make test"]


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_make_targets_in_the_docs_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"\bmake ([a-z][a-z-]*)", "\n".join(shell_lines(page))):
        if target.startswith("bench-"):
            assert (ROOT / "bench" / f"{target[6:].replace('-', '_')}.py").exists(), target
        else:
            assert re.search(rf"^{target}:", makefile, re.M), target


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_flags_in_the_docs_exist(page):
    helps: dict[tuple[str, ...], str] = {}

    def help_of(*words: str) -> str:
        if words not in helps:
            done = subprocess.run(
                [sys.executable, "-m", "lullwave", *words, "--help"],
                capture_output=True,
                text=True,
                env={"COLUMNS": "200", "PATH": "/usr/bin:/bin", "NO_COLOR": "1", "TERM": "dumb"},
            )
            assert done.returncode == 0, f"lullwave {' '.join(words)}: {done.stderr}"
            helps[words] = done.stdout
        return helps[words]

    for line in shell_lines(page):
        found = re.search(r"(?:^|\s)lullwave ([a-z][a-z-]*)((?: .*)?)$", line)
        if not found or "=" in found[1]:
            continue
        command, rest = found[1], found[2].split()
        words = [command]
        if rest and re.fullmatch(r"[a-z][a-z-]*", rest[0]) and re.search(rf"^\W*{rest[0]}\s", help_of(command), re.M):
            words.append(rest[0])
        text = help_of(*words)
        for flag in re.findall(r"(?:^|\s)(--[a-z][a-z-]*)", found[2]):
            assert flag in text, f"{line}: {flag}"


@pytest.mark.parametrize("page", DOCS, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_extras_in_the_docs_exist(page):
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text):
        assert (page.parent / target).exists(), target
    for extras in re.findall(r"lullwave\[([a-z,]+)\]", text):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), extras


def test_import_is_light():
    loaded = python("import sys, lullwave; print(' '.join(sys.modules))").split()
    for heavy in ("scipy", "torch", "numpy", "fastapi", "pydantic", "typer", "rich", "soundfile"):
        assert heavy not in loaded


def test_public_names_resolve():
    code = "import lullwave; print([type(getattr(lullwave, n)).__name__ for n in lullwave.__all__])"
    assert "module" not in python(code)


def test_changelog_knows_the_version():
    import lullwave

    assert f"## {lullwave.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_no_large_file_is_tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    sizes = {
        name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if name and (ROOT / name).exists()
    }
    assert {name: size for name, size in sizes.items() if size > 1 << 20} == {}
