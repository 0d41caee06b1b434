"""Words, flags and values in any order are told apart."""

from typing import Annotated

import pytest
import typer

from lullwave.cli.parsing import WordCommand, prompt_of


@pytest.fixture
def parse():
    app = typer.Typer()
    got = {}

    @app.command(cls=WordCommand)
    def make(
        words: Annotated[list[str] | None, typer.Argument()] = None,
        output: Annotated[str, typer.Option("--output", "-o")] = "a",
        level: Annotated[float, typer.Option("--level", "-l")] = 0.0,
        quiet: Annotated[bool, typer.Option("--quiet/--loud", "-q")] = False,
    ) -> None:
        got.update(prompt=prompt_of(words), output=output, level=level, quiet=quiet)

    def run(line):
        got.clear()
        app(line.split(), standalone_mode=False)
        return {name: value for name, value in got.items() if value not in ("a", 0.0, False)} | {
            "prompt": got["prompt"]
        }

    return run


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {"prompt": ""}),
        ("rainy night", {"prompt": "rainy night"}),
        ("-drums, rainy -q night", {"prompt": "-drums, rainy night", "quiet": True}),
        ("piano, -organ -lute", {"prompt": "piano, -organ -lute"}),
        ("piano -oa.mp3 -l-3.5", {"prompt": "piano", "output": "a.mp3", "level": -3.5}),
        ("--level -14 -5 degrees", {"prompt": "-5 degrees", "level": -14.0}),
        ("--output=-x piano", {"prompt": "piano", "output": "-x"}),
        ("-o - piano - strings", {"prompt": "piano - strings", "output": "-"}),
        ("piano -- --loud -q", {"prompt": "piano --loud -q"}),
    ],
)
def test_words_are_told_from_flags(parse, line, expected):
    assert parse(line) == expected


@pytest.mark.parametrize("line", ["piano --lodu", "piano -k 3", "--outptu=x"])
def test_a_flag_that_does_not_exist_is_no_word(parse, line):
    with pytest.raises(Exception, match="No such option"):
        parse(line)
