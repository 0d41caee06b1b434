"""The page's font is what its drawing says, and holds every letter that it should."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FONT = ROOT / "lullwave" / "web" / "fonts" / "lull-pixel.woff"


@pytest.fixture(scope="module")
def drawing():
    pytest.importorskip("fontTools")
    return runpy.run_path(str(ROOT / "tools" / "make_pixel_font.py"))


def test_the_font_is_what_its_drawing_says(drawing: dict, tmp_path: Path):
    drawing["build"](tmp_path / "font.woff")
    assert (tmp_path / "font.woff").read_bytes() == FONT.read_bytes()


def test_every_glyph_is_made_of_pixels_within_the_line(drawing: dict):
    for character, glyph in drawing["GLYPHS"].items():
        rows = drawing["rows_of"](glyph)
        assert len(rows) <= 9, character
        assert set("".join(rows)) <= {"#", "."}, character
        assert len({len(row) for row in rows if row}) == 1, character


def test_english_titles_are_complete(drawing: dict):
    letters = "abcdefghijklmnopqrstuvwxyz"
    assert set(letters + letters.upper() + "0123456789.,:;!?'’-&") <= set(drawing["GLYPHS"])
