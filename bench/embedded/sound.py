"""Judges the embedded engine's sound with public tools: ``make bench-sound`` (``--help`` tells its options).

Thirty prompts (``sound_prompts``) are rendered with three seeds and read by librosa and two public taggers;
words, single instruments, named instruments and crackle are separate parts (``--only``). Prints the medians beside
those of 24 recorded tracks, and exits with 1 if a bar is missed. The figures only guide: music that reads well and
sounds worse is a failure. Needs ``pip install -r bench/requirements-music.txt`` and
``pip install --no-deps musicnn==0.1.0``.

Clips and readings are cached in the temporary folder until the code of the engine changes, so that the whole can be
done in pieces: ``--stop-after 150`` ends after as many seconds, and the next run goes on there.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.embedded import sound_prompts as asked
from bench.embedded import sound_renders as renders
from bench.embedded.ears import RECORDED, figures, vendi_score
from bench.embedded.sound_readings import kept, read_clicks, read_clip, read_solos, read_tags
from bench.measure import pin

BASELINE = Path(__file__).parent / "sound_baseline.json"  # version 0.1.0, one seed
PARTS = ("clips", "words", "alone", "named", "crackle")

# figure: (lowest, highest) allowed value, None for no limit
BEAT_BARS: dict[str, tuple[float | None, float | None]] = {
    "drums_db": (-6.0, -2.0),
    "high_drums_db": (-3.0, None),
    "onset_strength": (4.4, None),
    "onsets_a_second": (2.6, None),
    "repeat": (0.45, None),
}
ALL_BARS: dict[str, tuple[float | None, float | None]] = {
    "hz_6k_10k_db": (-32.0, -20.0),
    "hz_250_1k_db": (None, -4.5),
    "side_db": (-14.0, -8.0),
    "clicks": (0.0, 0.0),
}
TAG_BARS: dict[str, tuple[float | None, float | None]] = {
    "piano": (None, 0.22),
    "synth": (0.20, None),
    "electronic": (0.20, None),
    "beat": (0.13, None),
    "drums": (0.12, None),
}
RECORDED_TAGS = {"piano": 0.12, "synth": 0.22, "electronic": 0.27, "beat": 0.18, "drums": 0.15}
SECOND_TAGS = ("jazz", "electronic", "chillout", "Hip-Hop")
CRACKLY = ("scratchy vinyl crackle", "dusty record player, old jazz", "lofi beats, crackling vinyl", "worn tape, piano")


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    part: str
    figure: str
    value: float
    low: float | None = None  # lowest allowed value
    high: float | None = None  # highest allowed value
    spread: tuple[float, float] | None = None  # 10th and 90th percentile
    recorded: tuple[float, ...] = ()
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.low is None and self.high is None:
            return ""
        within = (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)
        return "pass" if within else "MISS"


# ---- parts: each takes its readings and makes rows of them

Ask = Callable[..., list[Any]]


def clips(ask: Ask, count: int, seeds: Sequence[int], seconds: float) -> list[Row]:
    """Part (a): figures, tags and variety of the prompts."""
    chosen = asked.CLIPS[:: max(1, len(asked.CLIPS) // count)][:count]
    every = [(clip, seed) for seed in seeds for clip in chosen]
    read = ask(read_clip, [(clip.prompt, seed, seconds) for clip, seed in every])
    drummed = [r for (clip, _), r in zip(every, read, strict=True) if clip.beats]
    free = [r for (clip, _), r in zip(every, read, strict=True) if not clip.keys]
    rows = []
    for name, (what, recorded) in RECORDED.items():
        values = [r["figures"][name] for r in (drummed if name in BEAT_BARS else read)]
        rows.append(_spread("clips", what, values, (BEAT_BARS | ALL_BARS).get(name), recorded))
    rows.append(
        _spread("clips", "clicks with crackle", [r["figures"]["clicks"] for r in read], ALL_BARS["clicks"], (0, 0, 0))
    )
    piano = sum(next(iter(r["tags"])) == "piano" for r in free) / len(free)
    firsts = Counter(next(iter(r["tags"])) for r in read)
    rows.append(Row("clips", "share heard as piano first, keys not asked for", piano, None, 0.25, note=_counts(firsts)))
    for tag, bar in TAG_BARS.items():
        mean = float(np.mean([r["tags"][tag] for r in drummed]))
        rows.append(Row("clips", f"tag {tag}, mean with drums", mean, *bar, recorded=(RECORDED_TAGS[tag],)))
    for tag in SECOND_TAGS:
        rows.append(Row("clips", f"second tagger {tag}, mean", float(np.mean([r["second"][tag] for r in drummed]))))
    firsts = Counter(next(iter(r["second"])) for r in read)
    rows.append(
        Row(
            "clips",
            "second tagger: share of its commonest first tag",
            max(firsts.values()) / len(read),
            note=_counts(firsts),
        )
    )
    hidden = np.array([r["hidden"] for (_, seed), r in zip(every, read, strict=True) if seed == seeds[0]])
    different = vendi_score(hidden) / len(hidden)
    rows.append(Row("clips", f"different clips of {len(hidden)} (Vendi), share", different, 0.6))
    apart = vendi_score(hidden - hidden.mean(axis=0)) / len(hidden)
    rows.append(Row("clips", "the same of their distances from their mean, share", apart))
    return rows


def words(ask: Ask, seeds: Sequence[int], seconds: float) -> list[Row]:
    """Part (b): a prompt of one word is heard as that word."""
    every = [(word, seed) for word in asked.WORDS for seed in seeds]
    heard: Counter[str] = Counter()
    firsts: dict[str, Counter[str]] = {word: Counter() for word in asked.WORDS}
    for (word, _), tags in zip(every, ask(read_tags, [(w, s, seconds) for w, s in every]), strict=True):
        three = list(tags)[:3]
        firsts[word].update(three)
        heard[word] += any(tag in three for tag in asked.WORDS[word])
    share = sum(heard.values()) / len(every)
    rows = [Row("words", "a word among the first three tags", share, 0.8)]
    for word in sorted(asked.WORDS, key=lambda w: heard[w]):
        rows.append(Row("words", f"  {word}", heard[word] / len(seeds), note=_counts(firsts[word])))
    return rows


def alone(ask: Ask) -> list[Row]:
    """Part (c): an instrument alone is heard as itself."""
    known = [name for name in renders.instruments() if asked.tags_of(name)]
    rows = []
    for name, phrases in zip(known, ask(read_solos, [(n,) for n in known]), strict=True):
        mean = {tag: float(np.mean([phrase[tag] for phrase in phrases])) for tag in phrases[0]}
        order = sorted(mean, key=lambda tag: -mean[tag])
        hit = any(tag in order[:2] for tag in asked.tags_of(name))
        single = sum(any(tag in list(phrase)[:2] for tag in asked.tags_of(name)) for phrase in phrases)
        heard = ", ".join(f"{tag} {mean[tag]:.2f}" for tag in order[:4])
        rows.append(Row("alone", f"  {name}", float(hit), note=f"{single} of 3 phrases; {heard}"))
    share = float(np.mean([row.value for row in rows]))
    return [Row("alone", "instruments among the first two tags", share, 0.85), *sorted(rows, key=lambda r: r.value)]


def named(ask: Ask, count: int, seconds: float) -> list[Row]:
    """Part (d): the named instrument is the loudest melodic stem."""
    chosen = asked.NAMED_PROMPTS[:: max(1, len(asked.NAMED_PROMPTS) // count)][:count]
    read = ask(renders.melodic_levels, [(prompt, n + 1, seconds) for n, (prompt, _) in enumerate(chosen)])
    rows = []
    for (prompt, parts), levels in zip(chosen, read, strict=True):
        order = sorted(levels, key=lambda name: -levels[name])
        hit = bool(order) and any(part in order[0] for part in parts)
        if not hit:
            rows.append(Row("named", f"  {prompt}", 0.0, note=", ".join(f"{i} {levels[i]:.1f} dB" for i in order)))
    return [Row("named", "named instrument is the loudest melodic stem", 1 - len(rows) / len(chosen), 0.95), *rows]


def crackle(ask: Ask, seeds: Sequence[int], seconds: float) -> list[Row]:
    """Part (e): requested crackle contains no impulses."""
    every = [(prompt, seed, seconds) for prompt in CRACKLY for seed in seeds]
    values = ask(read_clicks, every)
    return [_spread("crackle", "clicks a clip where crackle is asked for", values, (0.0, 0.0), (0, 0, 0))]


def _spread(
    part: str,
    what: str,
    values: Iterable[float],
    bar: tuple[float | None, float | None] | None,
    recorded: Sequence[float],
) -> Row:
    low, middle, high = np.nanpercentile(list(values), (10, 50, 90))
    return Row(part, what, float(middle), *(bar or (None, None)), (float(low), float(high)), tuple(recorded))


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common(6))


# ---- the table


def table(rows: Sequence[Row], before: Sequence[dict[str, Any]] = ()) -> str:
    """The table in Markdown; ``before`` are the rows of an earlier run, shown beside."""
    past = {(row["part"], row["figure"]): row["value"] for row in before}
    lines = ["| figure | before | now (10 %, 90 %) | recorded | bar | |", "|---|---|---|---|---|---|"]
    for row in rows:
        spread = f" ({row.spread[0]:.2f}, {row.spread[1]:.2f})" if row.spread else ""
        old = past.get((row.part, row.figure))
        recorded = ", ".join(f"{value:g}" for value in row.recorded)
        cells = [
            row.figure.strip(), "" if old is None else f"{old:.2f}", f"{row.value:.2f}{spread}", recorded, _bar(row),
            " ".join(filter(None, (row.verdict, row.note))),
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _bar(row: Row) -> str:
    if row.low is not None and row.high is not None:
        return f"{row.low:g}" if row.low == row.high else f"{row.low:g} to {row.high:g}"
    if row.low is not None:
        return f"at least {row.low:g}"
    return "" if row.high is None else f"at most {row.high:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, action="append", help="one part (may be given again)")
    parser.add_argument("--quick", action="store_true", help="eight prompts, one seed, 30 s: for work in progress")
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each prompt (3)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the clips (60)")
    parser.add_argument("--processes", type=int, default=2, help="that render and read at the same time (2)")
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds; run again to go on")
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--before", type=Path, default=BASELINE, help="rows of an earlier run, shown beside")
    arguments = parser.parse_args()
    pin(2)
    seeds, seconds = ([1], 30.0) if arguments.quick else (list(range(1, arguments.seeds + 1)), arguments.seconds)
    ends = time.monotonic() + arguments.stop_after
    chosen = arguments.only or PARTS
    _warm_up()
    with ProcessPoolExecutor(arguments.processes) as pool:

        def ask(read: Callable[..., Any], every: Sequence[tuple[Any, ...]]) -> list[Any]:
            jobs = [pool.submit(kept, read, *one) for one in every]
            done = []
            for n, job in enumerate(jobs):
                done.append(job.result())
                if time.monotonic() > ends and not jobs[-1].done():
                    pool.shutdown(cancel_futures=True)
                    sys.exit(f"\n{read.__name__}: {n + 1} of {len(jobs)} are kept; run again to go on")
                print(f"\r{read.__name__}: {n + 1} of {len(jobs)}", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            return done

        parts: dict[str, Callable[[], list[Row]]] = {
            "clips": lambda: clips(ask, 8 if arguments.quick else 30, seeds, seconds),
            "words": lambda: words(ask, seeds, seconds),
            "alone": lambda: alone(ask),
            "named": lambda: named(ask, 12 if arguments.quick else 60, seconds),
            "crackle": lambda: crackle(ask, seeds, seconds),
        }
        rows = [row for part in PARTS if part in chosen for row in parts[part]()]
    before = json.loads(arguments.before.read_text())["rows"] if arguments.before else ()
    print(table(rows, before))
    if arguments.json:
        told = {"code": renders.code_hash(), "seeds": seeds, "seconds": seconds, "rows": [asdict(row) for row in rows]}
        arguments.json.write_text(json.dumps(told, indent=1))
    missed = sum(row.verdict == "MISS" for row in rows)
    print(f"{missed} bars missed of {sum(bool(row.verdict) for row in rows)}")
    sys.exit(1 if missed else 0)


def _warm_up() -> None:
    """Let librosa compile its kernels once: two processes that fill numba's cache at the same time damage it."""
    figures(np.random.default_rng(0).normal(0, 0.1, (8 * 44100, 2)), 44100)


if __name__ == "__main__":
    main()
