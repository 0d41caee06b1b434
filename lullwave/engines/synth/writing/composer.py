"""Composes the bars of a planned piece: part after part, each written over those before it.

A section is composed from its plan and the ``SectionState`` that the section before left, so that a stream composes
only what it is about to play and resumes from a few numbers. Pure functions; knows neither prompts nor sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..catalogue.instruments import INSTRUMENTS, Instrument, InstrumentName, Role
from ..chance import Chance
from ..score import LOOKAHEAD_S, RATE, Bar, ChordAt, Hit, Note
from ..spec import PieceSpec, Section, Slot
from . import bass, comping, groove, harmony, lines, melody
from .clashes import resolve_clashes
from .event import Event, VoicedChord
from .metres import METRES, WRITTEN_BEATS, drums_in
from .mixing import mix_of

BEATS = WRITTEN_BEATS


@dataclass(frozen=True)
class SectionState:
    """What one section hands to the next: the last voicing and the last bass note."""

    voicing: tuple[int, ...] = ()
    bass: int | None = None


def compose(spec: PieceSpec) -> tuple[Bar, ...]:
    """All bars of a piece, counted from frame 0."""
    bars: list[Bar] = []
    carry = SectionState()
    frame = number = 0
    for index in range(len(spec.sections)):
        written, carry = compose_section(spec, index, carry)
        for bar in written:
            bars.append(replace(bar, start_frame=frame, bar=number))
            frame += bar.frames
            number += 1
    return tuple(bars)


def compose_section(spec: PieceSpec, index: int, carry: SectionState) -> tuple[list[Bar], SectionState]:
    """The bars of one section (counted from frame 0 and bar 0) and what they leave behind."""
    section = spec.sections[index]
    chance = Chance(spec.seed, spec.number, "section", index)
    take = Chance(spec.seed, spec.number, "loop", section.theme) if section.loop_bars else chance
    beat = Chance(spec.seed, spec.number, "loop") if section.loop_bars else chance  # one drum loop for all themes
    chords = voiced(section, carry.voicing)
    events = _events(chance, take, spec, section, chords, carry)
    metre = METRES[section.metre]
    frames = [metre.bar_frames(section.tempo(bar)) for bar in range(section.bars)]
    beat_s = min(frames) / RATE / metre.quarters
    events = resolve_clashes(events, beat_s)
    bars = []
    for bar in range(section.bars):
        hits = _hits(chance, beat, spec, section, bar, frames[bar] / RATE / metre.quarters)
        notes = _notes(chance, take, spec, section, events, bar, frames)
        named = tuple(
            ChordAt(c.beat - bar * BEATS, c.chord.name(section.key), c.chord.root, c.chord.pitch_classes, c.borrowed)
            for c in chords
            if bar * BEATS <= c.beat < (bar + 1) * BEATS and metre.keeps(c.beat)
        )
        bars.append(_bar(spec, section, bar, frames[bar], metre.beats, notes, hits, named))
    if section.tail_frames:
        beats = max(1, round(section.tail_frames / RATE / beat_s / metre.quarters_per_beat))
        bars.append(_bar(spec, section, section.bars, section.tail_frames, beats, (), (), ()))
    last_bass = [e.pitch for e in events if e.part == "bass"][-1:]
    return bars, SectionState(chords[-1].voicing, last_bass[0] if last_bass else carry.bass)


def voiced(section: Section, before: tuple[int, ...] = ()) -> list[VoicedChord]:
    """The chords of a section with the voicings that the keys will play after the voicing ``before``.

    In a loop a chord has one voicing, the one that it gets when the loop has gone round once.
    """
    if not section.loop_bars:
        return _led(section, section.slots, before)
    loop = harmony.unroll(section.slots, section.loop_bars * float(BEATS))
    settled = {one.chord: one.voicing for one in _led(section, (*loop, *loop), ())}
    return [replace(one, voicing=settled.get(one.chord, one.voicing)) for one in _led(section, section.slots, before)]


def _led(section: Section, slots: tuple[Slot, ...], before: tuple[int, ...]) -> list[VoicedChord]:
    """The chords of the slots, each voiced close to the one before it."""
    chords: list[VoicedChord] = []
    beat = 0.0
    key = section.key
    for slot in slots:
        chord = slot.chord(key)
        voicing = harmony.voice(chord, key, before, section.spread)
        chords.append(VoicedChord(beat, slot.beats, chord, voicing, not chord.in_key(key)))
        before = voicing
        beat += slot.beats
    return chords


def _events(
    chance: Chance, take: Chance, spec: PieceSpec, section: Section, chords: list[VoicedChord], carry: SectionState
) -> list[Event]:
    """The notes of a section. ``take`` draws what a loop repeats; without a loop it is ``chance``."""
    roles = section.roles
    instruments = {**spec.band.instruments, **section.players}
    ringing = section.closing == "ring"
    up = INSTRUMENTS[instruments["keys"]].chords_up if "keys" in roles else 0
    events: list[Event] = []
    for at, passed in _passes(section, chords):
        part: list[Event] = []
        if "bass" in roles:
            low = INSTRUMENTS[instruments["bass"]].lowest
            cell = 0 if ringing else section.bass
            before = None if section.loop_bars else carry.bass
            part += bass.write_bass(take.of("bass"), passed, section.key, cell, section.kick, before, low)
        if "keys" in roles:
            style = section.comp
            if ringing:
                style = style if style in ("roll", "whole", comping.HELD) else "low_top"
            fades = INSTRUMENTS[instruments["keys"]].fades_within_bar and not ringing
            written = comping.write_keys(take.of("keys"), passed, style, fades=fades)
            part += [replace(event, pitch=event.pitch + up) for event in written] if up else written
        events += [replace(event, beat=event.beat + at) for event in part] if at else part
    if "pad" in roles:
        events += comping.write_pad(chords)
    if "lead" in roles and section.motif:
        under = [replace(one, voicing=tuple(p + up for p in one.voicing)) for one in chords] if up else chords
        events += _tune(
            take.of("lead"),
            section,
            under,
            INSTRUMENTS[instruments["lead"]],
            instruments,
            instruments["lead"] in spec.band.featured,
        )
    if ringing:
        events = [_ring(e, chords[-1]) for e in events]
    return events


def _tune(
    chance: Chance,
    section: Section,
    chords: list[VoicedChord],
    lead: Instrument,
    instruments: Mapping[Role, InstrumentName],
    named: bool,
) -> list[Event]:
    """The melody in the manner of the instrument that leads, with the answers of a second one.

    ``named``: the prompt asks for the instrument, so that its lines go on without a rest.
    """
    key, motif = section.key, section.motif
    shift = lead.octaves(melody.LOWEST, melody.HIGHEST)
    answer = INSTRUMENTS[instruments["answer"]] if "answer" in section.roles else None
    shifts = (shift, answer.octaves(melody.LOWEST, melody.HIGHEST) if answer else 0)
    tune: list[Event] = []
    if answer or not lead.line:
        second = "answer" if answer else ""
        tune = melody.write_melody(
            chance, chords, key, motif, section.phrase, section.bars, answer=second, shifts=shifts,
            again=bool(section.loop_bars),
        )  # fmt: skip
    if lead.line or (lead.family == "winds" and section.roles == ("lead",)):  # alone, it goes on where the tune rests
        write = lines.write_sequence if lead.line == "sequence" else lines.write_slow_line
        answers = [event for event in tune if event.part == "answer" or not lead.line]
        line = [
            replace(event, beat=event.beat + at)
            for at, passed in _passes(section, chords)
            for event in write(chance.of("line"), passed, key, motif, "lead", shift)
        ]
        tune = lines.with_answers(line if named else lines.rested(line), answers)
    if "bend" in lead.articulations:
        tune = lines.bent(chance.of("bend"), tune, key, "lead")
    return tune


def _passes(section: Section, chords: list[VoicedChord]) -> list[tuple[float, list[VoicedChord]]]:
    """The chords of each time round the loop, counted from its beginning, and where that lies in the section."""
    if not section.loop_bars:
        return [(0.0, chords)]
    length = float(section.loop_bars * BEATS)
    around: dict[float, list[VoicedChord]] = {}
    for one in chords:
        at = one.beat // length * length
        around.setdefault(at, []).append(replace(one, beat=one.beat - at))
    return list(around.items())


def _ring(event: Event, last: VoicedChord) -> Event:
    """Notes of the last chord that would end with it sound to the end of the piece."""
    if event.beat >= last.beat - 0.01 and event.part != "lead":
        return replace(event, ring=True)
    return event


def _notes(
    chance: Chance,
    take: Chance,
    spec: PieceSpec,
    section: Section,
    events: list[Event],
    bar: int,
    frames: list[int],
) -> tuple[Note, ...]:
    band = spec.band
    metre = METRES[section.metre]
    beat_s = frames[bar] / RATE / metre.quarters
    start, played = bar * BEATS, bar * metre.quarters
    hands: dict[str, groove.PlayerTiming] = {}
    delays: dict[tuple[str, float], float] = {}
    notes: list[Note] = []
    for event in sorted(events, key=lambda e: (e.beat, e.part, e.pitch)):
        early = bar == 0 and -0.5 < event.beat < 0
        if not (start <= event.beat + 1e-6 < start + BEATS or early):
            continue
        if not early and not metre.keeps(event.beat):
            continue
        hand = hands.get(event.part)
        if hand is None:
            feel = band.feel_ms.get(event.part, 8.0)
            tuneful = event.part in ("lead", "answer")
            drawn = take.of(bar if tuneful else _place(section, bar), event.part)
            hand = hands[event.part] = groove.PlayerTiming(drawn, event.part, feel)
        stroke = (event.part, event.beat)
        if stroke not in delays:
            delays[stroke] = hand.delay_s()
        swing = groove.part_swing(band.swing, event.part)
        at = groove.swung(max(0.0, event.beat - start), swing, band.swing_unit) * beat_s
        end = groove.swung(metre.played(event.end - 1e-6) - played, swing, band.swing_unit) * beat_s
        begun = max(-LOOKAHEAD_S, at + delays[stroke] + 0.011 * event.roll)
        if event.ring:
            end = (sum(frames[bar:]) + section.tail_frames) / RATE - 0.12
        length = max(0.04, end + delays[stroke] * 0.5 - begun)
        notes.append(
            Note(
                part=event.part,
                start_s=begun,
                length_s=length,
                pitch=event.pitch,
                velocity=hand.weight(event.velocity, round((event.beat - start) * 96), event.pitch),
                grace=event.grace,
                slide_from=event.slide_from,
                skip_s=event.skip * beat_s,
                pitched=event.pitched,
            )
        )
    return tuple(notes)


def _place(section: Section, bar: int) -> int:
    """Which bar of its loop a bar is, counted so that the last one is the fourth; without a loop, its own number."""
    return bar % section.loop_bars + (-section.loop_bars) % BEATS if section.loop_bars else bar


def _hits(chance: Chance, take: Chance, spec: PieceSpec, section: Section, bar: int, beat_s: float) -> tuple[Hit, ...]:
    band = spec.band
    place = 2 + bar % 2 if section.loop_bars else bar  # a loop's drums are two bars
    draw = take.of("drums", place)
    fill = groove.pick_fill(chance.of("drums", bar, "fill"), bar, section.bars, section.fill, bool(section.loop_bars))
    silent = 12 if section.drop and bar == section.bars - 1 else 16
    strokes = groove.strokes(
        draw,
        section.drums,
        section.kick,
        section.hats,
        band.kit,
        section.energy,
        place,
        fill if silent == 16 else "",
        silent,
    )
    if section.closing == "ring" and bar == section.bars - 1:
        strokes = [("kick", 0, 0.7)] if section.drums >= 2 else []
    strokes = drums_in(METRES[section.metre], section.feel, strokes)
    strokes = groove.replace_muted(strokes, band.muted)
    feel = dict(band.feel_ms)
    return tuple(groove.place_hits(draw.of("time"), strokes, beat_s, band.swing, band.swing_unit, feel))


def _bar(
    spec: PieceSpec,
    section: Section,
    bar: int,
    frames: int,
    beats: int,
    notes: tuple[Note, ...],
    hits: tuple[Hit, ...],
    chords: tuple[ChordAt, ...],
) -> Bar:
    return Bar(
        start_frame=0,
        frames=frames,
        beats=beats,
        notes=notes,
        hits=hits,
        mix=mix_of(spec, section, bar),
        chords=chords,
        piece=spec.number,
        bar=bar,
        section=section.name,
        tempo_bpm=section.tempo(min(bar, section.bars - 1)) / METRES[section.metre].quarters_per_beat,
        metre=section.metre,
        take=_place(section, bar) if section.loop_bars else -1,
    )
