"""The repository checks itself: what README says exists, and the package stays light."""

import re
import subprocess
import sys
import tomllib

import pytest
from markdown_pages import ROOT, pages

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = pages()


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_readme_begins_with_the_two_commands():
    readme = next(page for page in PAGES if page.name == "README.md")
    assert [command.split("  #")[0].strip() for command in readme.commands()[:2]] == ["make run", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_benchmarks_in_the_docs_exist(page):
    makefile = (ROOT / "Makefile").read_text()
    code = "\n".join([*page.commands(), *re.findall(r"`([^`\n]+)`", page.text)])
    for target in re.findall(r"\bmake ([a-z][a-z-]*)", code):
        if target.startswith("bench-"):
            assert list((ROOT / "bench").glob(f"*/{target[6:].replace('-', '_')}.py")), target
        else:
            assert re.search(rf"^{target}:", makefile, re.M), target
    for module in re.findall(r"python -m bench\.([\w.]+)", code):
        assert (ROOT / "bench" / f"{module.replace('.', '/')}.py").exists(), module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page):
    by_path = {other.path: other for other in PAGES}
    for link in page.links():
        if re.match(r"https?:|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), link
        if anchor:
            assert anchor in by_path[path].anchors(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_and_extras_in_the_docs_exist(page):
    for path in re.findall(r"`((?:lullwave|deploy|bench|tests|tools|examples)/[\w./-]+)`", page.text):
        assert (ROOT / path).exists(), path
    for extras in re.findall(r"(?:lullwave|\.)\[([a-z,]+)\]", page.text):
        assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), extras


def test_every_page_can_be_reached_from_the_readme():
    by_path = {page.path: page for page in PAGES}
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = by_path[ahead.pop()]
        seen.add(page.path)
        found = ((page.path.parent / link.partition("#")[0]).resolve() for link in page.links() if ":" not in link)
        ahead += [path for path in found if path in by_path and path not in seen]
    assert {page.name for page in PAGES if page.path not in seen} <= {"examples/lullwave-birdsong/README.md"}


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
