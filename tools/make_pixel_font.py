"""Draws the page's display font from rows of pixels: ``python tools/make_pixel_font.py`` writes the file.

Each glyph is seven rows above the baseline and up to two below, a pixel a tenth of the em. Needs fontTools.
"""

from __future__ import annotations

from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

PIXEL = 100  # units
INK = 40  # how much wider than a pixel a stroke is: a little bolder than the grid
EM = 10 * PIXEL
OUT = Path(__file__).parents[1] / "lullwave" / "web" / "fonts" / "lull-pixel.woff"

# Rows from the top, separated by spaces; a leading number skips empty rows.
GLYPHS = {
    "a": "2 .##. ...# .### #..# .###",
    "b": "#... #... ###. #..# #..# #..# ###.",
    "c": "2 .## #.. #.. #.. .##",
    "d": "...# ...# .### #..# #..# #..# .###",
    "e": "2 .##. #..# #### #... .##.",
    "f": ".## #.. ##. #.. #.. #.. #..",
    "g": "2 .### #..# #..# #..# .### ...# .##.",
    "h": "#... #... ###. #..# #..# #..# #..#",
    "i": "# . # # # # #",
    "j": ".# .. .# .# .# .# .# .# #.",
    "k": "#... #... #..# #.#. ##.. #.#. #..#",
    "l": "#. #. #. #. #. #. .#",
    "m": "2 ####. #.#.# #.#.# #.#.# #.#.#",
    "n": "2 ###. #..# #..# #..# #..#",
    "o": "2 .##. #..# #..# #..# .##.",
    "p": "2 ###. #..# #..# #..# ###. #... #...",
    "q": "2 .### #..# #..# #..# .### ...# ...#",
    "r": "2 #.# ##. #.. #.. #..",
    "s": "2 .### #... .##. ...# ###.",
    "t": "1 #. ## #. #. #. .#",
    "u": "2 #..# #..# #..# #..# .###",
    "v": "2 #...# #...# .#.#. .#.#. ..#..",
    "w": "2 #.#.# #.#.# #.#.# #.#.# .#.#.",
    "x": "2 #..# #..# .##. #..# #..#",
    "y": "2 #..# #..# #..# #..# .### ...# .##.",
    "z": "2 #### ...# .##. #... ####",
    "A": ".###. #...# #...# ##### #...# #...# #...#",
    "B": "####. #...# #...# ####. #...# #...# ####.",
    "C": ".###. #...# #.... #.... #.... #...# .###.",
    "D": "####. #...# #...# #...# #...# #...# ####.",
    "E": "#### #... #... ###. #... #... ####",
    "F": "#### #... #... ###. #... #... #...",
    "G": ".###. #...# #.... #.### #...# #...# .####",
    "H": "#...# #...# #...# ##### #...# #...# #...#",
    "I": "### .#. .#. .#. .#. .#. ###",
    "J": "...# ...# ...# ...# ...# #..# .##.",
    "K": "#...# #..#. #.#.. ##... #.#.. #..#. #...#",
    "L": "#... #... #... #... #... #... ####",
    "M": "#...# ##.## #.#.# #.#.# #...# #...# #...#",
    "N": "#...# ##..# #.#.# #.#.# #..## #...# #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.",
    "P": "####. #...# #...# ####. #.... #.... #....",
    "Q": ".###. #...# #...# #...# #.#.# #..#. .##.#",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "T": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "U": "#...# #...# #...# #...# #...# #...# .###.",
    "V": "#...# #...# #...# #...# .#.#. .#.#. ..#..",
    "W": "#...# #...# #...# #.#.# #.#.# ##.## #...#",
    "X": "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
    "Y": "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..",
    "Z": "##### ....# ...#. ..#.. .#... #.... #####",
    "0": ".##. #..# #..# #..# #..# #..# .##.",
    "1": ".#. ##. .#. .#. .#. .#. ###",
    "2": ".##. #..# ...# ..#. .#.. #... ####",
    "3": ".##. #..# ...# .##. ...# #..# .##.",
    "4": "..#. .##. #.#. #.#. #### ..#. ..#.",
    "5": "#### #... ###. ...# ...# #..# .##.",
    "6": ".##. #... #... ###. #..# #..# .##.",
    "7": "#### ...# ...# ..#. ..#. .#.. .#..",
    "8": ".##. #..# #..# .##. #..# #..# .##.",
    "9": ".##. #..# #..# .### ...# ...# .##.",
    ".": "6 #",
    ",": "6 .# .# #.",
    ":": "3 # . . #",
    ";": "3 .# .. .. .# #.",
    "!": "# # # # # . #",
    "?": ".##. #..# ...# ..#. .#.. .... .#..",
    "'": "# #",
    "’": ".# .# #.",
    "‘": ".# #. #.",
    '"': "#.# #.#",
    "“": ".#.# #.#. #.#.",
    "”": ".#.# .#.# #.#.",
    "-": "4 ###",
    "–": "4 ####",
    "…": "6 #.#.#",
    "·": "4 #",
    "/": "...# ...# ..#. ..#. .#.. #... #...",
    "(": ".# #. #. #. #. #. .#",
    ")": "#. .# .# .# .# .# #.",
    "&": ".##.. #..#. #..#. .##.. #..## #..#. .##.#",
    "+": "2 ..#.. ..#.. ##### ..#.. ..#..",
    "#": "1 .#.#. ##### .#.#. ##### .#.#.",
    "%": "##..# ##.#. ...#. ..#.. .#... .#.## #..##",
    "*": "1 #.#.# .###. #.#.#",
    "é": "..#. .#.. .##. #..# #### #... .##.",
    "è": ".#.. ..#. .##. #..# #### #... .##.",
    "ä": "#..# .... .##. ...# .### #..# .###",
    "ö": "#..# .... .##. #..# #..# #..# .##.",
    "ü": "#..# .... #..# #..# #..# #..# .###",
    "♭": "#... #... ###. #..# #..# #.#. ##..",
    "♯": "1 .#.## .###. ##.#. .#.## .###. ##.#.",
}


def rows_of(drawing: str) -> list[str]:
    """The rows of a glyph from the top, empty ones included."""
    first, *rest = drawing.split()
    return [""] * int(first) + rest if first.isdigit() else [first, *rest]


def outline(rows: list[str]):
    """One rectangle for every run of pixels, the seventh row standing on the baseline."""
    pen = TTGlyphPen(None)
    for y, row in enumerate(rows):
        top = (7 - y) * PIXEL
        x = 0
        while x < len(row):
            end = x
            while end < len(row) and row[end] == "#":
                end += 1
            if end > x:
                left, right = x * PIXEL, end * PIXEL + INK
                pen.moveTo((left, top))
                pen.lineTo((right, top))
                pen.lineTo((right, top - PIXEL))
                pen.lineTo((left, top - PIXEL))
                pen.closePath()
            x = max(end, x + 1)
    return pen.glyph()


def build(target: Path = OUT) -> None:
    """Write the font."""
    names = {character: f"u{ord(character):04X}" for character in GLYPHS}
    glyphs = {".notdef": outline(["####"] * 7), "space": outline([])}
    widths = {".notdef": 5 * PIXEL, "space": 3 * PIXEL}
    for character, drawing in GLYPHS.items():
        rows = rows_of(drawing)
        glyphs[names[character]] = outline(rows)
        widths[names[character]] = (max(map(len, rows)) + 1) * PIXEL + INK
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(list(glyphs))
    font.setupCharacterMap({0x20: "space", 0xA0: "space"} | {ord(c): name for c, name in names.items()})
    font.setupGlyf(glyphs)
    font.setupHorizontalMetrics({name: (width, 0) for name, width in widths.items()})
    font.setupHorizontalHeader(ascent=8 * PIXEL, descent=-2 * PIXEL)
    font.setupNameTable({"familyName": "Lull Pixel", "styleName": "Regular", "licenseDescription": "MIT"})
    font.setupOS2(sTypoAscender=8 * PIXEL, sTypoDescender=-2 * PIXEL, usWinAscent=8 * PIXEL, usWinDescent=2 * PIXEL)
    font.setupPost()
    font.font["head"].created = font.font["head"].modified = 0  # the same bytes from the same drawing
    font.font.recalcTimestamp = False
    font.font.flavor = "woff"
    target.parent.mkdir(exist_ok=True)
    font.save(target)


if __name__ == "__main__":
    build()
