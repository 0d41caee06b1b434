"""Renders sound from a score, one `score.Bar` after another; tails and effects continue across bar lines.

One module, because every stage changes the one state that a snapshot keeps.

::

    notes ─ instruments ─ filters ─ level ─ chorus, tremolo, pan ─┬─ duck ─┬─ music ─┐
                                                                   └ sends ─┴ room, plate ─┤
    hits ─ kit ─ punch ─ bit reduction ─ low-pass, air ────────────────────────────────────┤ at MUSIC_RATE
                                                                                           ▼
           compressor ─ low-pass, high-pass ─ (twice the rate) ─ saturation, tape ─ onsets ─ level ─┬─▶ at RATE
                                                                   crackle, hiss, ambience ─────────┘

The sound lags the score by ``LATENCY`` frames, because an event may begin a little before its bar. The whole state
between two bars is one immutable `RendererState`.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ....audio import Samples
from ..catalogue.drums import DRUMS, DrumName, KitName
from ..catalogue.instruments import INSTRUMENTS, InstrumentName
from ..score import LOOKAHEAD_S, RATE, Ambience, Bar, Mix, Track
from . import ambience
from .effects import dynamics, leveller, modulation, onsets, surface_noise, tape
from .effects.filtering import HISTORY, Tone, colour
from .effects.leveller import LevelState
from .effects.reverb import PLATE_HISTORY, ROOM_HISTORY, reverberate
from .effects.upsampling import BUS_HISTORY, LOOK, double
from .instruments.cache import SoundCache
from .instruments.notes import BEND_S, GLIDE_S, amplitude, pitched_sound, slid, sound_of, stroke_of
from .synthesis import MUSIC_RATE, rise

LATENCY = 1892  # frames from the score to the sound: look-ahead, filters and the tape's range
_AHEAD = round(LOOKAHEAD_S * RATE)
_TAPE_HISTORY = 2 * (
    LATENCY - _AHEAD + 2 * LOOK + tape.MAX_SHIFT
)  # frames before a block that the tape effect may read
_PLACE_UP = np.float32(0.4 * RATE)  # frames over which ambience fades in at the start of a stream
_MUSIC_UP = round(0.12 * MUSIC_RATE)  # samples over which music does: out of nothing, a pluck is a click
_SILENT_DB = -60.0  # drums at this level or below count as absent
_POP_DB = 0.0  # peak of a typical pop above the nominal level of the crackle
_CHOP_RISE = rise(round(0.008 * MUSIC_RATE), 0.008)  # fade-in of a chop, which begins inside a sound
MUSIC_GAIN_DB = 9.0  # brings a full arrangement to about -15 LUFS


@dataclass(frozen=True)
class ActiveNote:
    """A note that sounds from music sample ``at`` until it has decayed."""

    part: str
    instrument: InstrumentName
    pitch: int
    velocity: float
    at: int
    held: int  # samples until key-up
    variant: int
    slide_from: int | None = None
    skip: int = 0  # samples of its sound before its beginning
    pitched: int = 0  # semitones by which its sound is read faster


@dataclass(frozen=True)
class ActiveHit:
    """A drum stroke that sounds from music sample ``at``."""

    kit: KitName
    drum: DrumName
    velocity: float
    at: int
    variant: int


@dataclass(frozen=True)
class PartState:
    """The state of a part's effects."""

    track: Track
    lowpass: Samples
    chorus: Samples


@dataclass(frozen=True)
class RendererState:
    """Everything that the next bar needs from the bars before it. Immutable: arrays are never written to."""

    frame: int = 0  # the next output frame
    music: int = -_AHEAD // 2  # the next sample of the buses, at MUSIC_RATE
    mix: Mix | None = None
    sounding: tuple[ActiveNote, ...] = ()
    struck: tuple[ActiveHit, ...] = ()
    kicks: tuple[tuple[int, float], ...] = ()
    parts: Mapping[str, PartState] = field(default_factory=dict)
    room: Samples = field(default_factory=lambda: np.zeros(ROOM_HISTORY, np.float32))
    plate: Samples = field(default_factory=lambda: np.zeros(PLATE_HISTORY, np.float32))
    drums: Samples = field(default_factory=lambda: np.zeros((2, HISTORY), np.float32))
    bus: Samples = field(default_factory=lambda: np.zeros((2, BUS_HISTORY), np.float32))
    tape: Samples = field(default_factory=lambda: np.zeros((2, _TAPE_HISTORY), np.float32))
    punch: dynamics.PunchState = field(default_factory=dynamics.PunchState)
    onsets: onsets.OnsetState = onsets.SILENT
    level: float = 0.0
    gain: float = 1.0
    levels: LevelState = field(default_factory=LevelState)

    @classmethod
    def at(cls, frame: int, mix: Mix) -> RendererState:
        """The state in which nothing sounds at an output frame, after a bar of that mix."""
        return cls(frame=frame, music=(frame - _AHEAD) // 2, mix=mix)


@dataclass(frozen=True)
class BusGains:
    """By what the bus multiplied a bar of the mix. Its stems are multiplied by the same, and so add up to the mix."""

    compressor: Samples  # (T,) at MUSIC_RATE
    onsets: Sequence[Samples]  # (T,) at RATE, of each band of highs
    saturation: Samples  # (2, T) at twice RATE
    levels: Samples  # (T,) at RATE


class Renderer:
    """Plays bars in order. One per stream; the cache of sounds may be shared."""

    def __init__(
        self,
        seed: int,
        cache: SoundCache,
        state: RendererState | None = None,
        only: str | None = None,
        keeps_gains: bool = False,
    ) -> None:
        """``only`` renders one stem: a part's name, "drums", "ambience", "noise", or another name for what still rings
        of the sound before ``state``. With ``keeps_gains``, ``gains`` are those of the last bar."""
        self.seed = seed
        self.cache = cache
        self.state = state or RendererState()
        self.only = only
        self.gains: BusGains | None = None
        self._keeps_gains = keeps_gains

    def render(self, bar: Bar, gains: BusGains | None = None) -> Samples:
        """The sound of a bar: (T, 2), T = ``bar.frames``. A stem needs the ``gains`` of the mix in this bar."""
        was = self.state
        assert bar.start_frame == was.frame, (bar.start_frame, was.frame)
        old = was.mix or bar.mix
        end = bar.start_frame + bar.frames
        music_end = (end - _AHEAD) // 2
        frames = music_end - was.music
        ramp = (np.arange(frames, dtype=np.float32) + 1) / np.float32(max(1, frames))

        kicks = self._kicks(bar)
        dip = dynamics.duck(was.music, frames, kicks, old.duck_db + (bar.mix.duck_db - old.duck_db) * ramp)
        bus, room, plate, sounding, parts = self._play_parts(bar, dip, ramp)
        drums, struck, drums_kept, punch = self._play_drums(bar, old, ramp, music_end)
        bus += drums
        room += (drums[0] + drums[1]) * (0.5 * _glide_db(old.drums_room_db, bar.mix.drums_room_db, ramp))
        wet, room_kept, plate_kept = reverberate(room, plate, was.room, was.plate)
        bus += wet
        music_gain = _glide_db(old.music_db + MUSIC_GAIN_DB, bar.mix.music_db + MUSIC_GAIN_DB, ramp)
        bus *= music_gain
        if was.music < _MUSIC_UP:
            bus *= _start(was.music, frames)
        level, gain = was.level, was.gain
        if gains is None:
            curve, level, gain = dynamics.compress(bus, level, gain)
        else:
            curve = gains.compressor
        bus *= curve
        fast, bus_kept = double(bus, was.bus, old.cutoff_hz, bar.mix.cutoff_hz, ramp)
        drive = old.warmth + (bar.mix.warmth - old.warmth) * np.linspace(0, 1, fast.shape[1], dtype=np.float32)
        saturation = tape.saturation_gain(fast, drive) if self._keeps_gains else None
        fast = tape.saturate(fast, drive) if gains is None else fast * gains.saturation
        taped, tape_kept = self._play_tape(bar, old, fast, music_end)
        held_by = None if gains is None else gains.onsets
        out, highs, onsets_kept = onsets.hold_back(taped, bar.start_frame, was.onsets, held_by)
        levels, begins = was.levels, bar.bar == 0 and bar.piece >= 0
        if gains is None:
            sections, levels = leveller.level(out, LATENCY, was.levels, bar.section, bar.mix.music_lufs, begins)
        else:
            sections = gains.levels
        out *= sections
        if saturation is not None:
            self.gains = BusGains(curve, highs, saturation, sections)
        self._add_noise_and_ambience(out, bar, old)
        self.state = RendererState(
            end, music_end, bar.mix, sounding, struck,
            tuple(k for k in kicks if k[0] > music_end - round(dynamics.DUCK_S * MUSIC_RATE)),
            parts, room_kept, plate_kept, drums_kept, bus_kept, tape_kept, punch, onsets_kept, level, gain, levels,
        )  # fmt: skip
        return np.ascontiguousarray(out.T)

    def rest(self, frames: int) -> Samples:
        """The tails of the notes played so far, (``frames``, 2), as if an empty bar followed."""
        return self.render(empty_bar(self.state, frames))

    # ---- the steps of `render`, in the order of the diagram above

    def _kicks(self, bar: Bar) -> tuple[tuple[int, float], ...]:
        new = [
            (_sample_of(bar, hit.start_s), hit.velocity * DRUMS[hit.drum].dip)
            for hit in bar.hits
            if DRUMS[hit.drum].dip and bar.mix.drums_db > _SILENT_DB
        ]
        return (*self.state.kicks, *new)

    def _play_parts(
        self, bar: Bar, dip: Samples, ramp: Samples
    ) -> tuple[Samples, Samples, Samples, tuple[ActiveNote, ...], dict[str, PartState]]:
        was, start, frames = self.state, self.state.music, len(ramp)
        notes = list(was.sounding)
        counts: dict[str, int] = {}
        for note in bar.notes:
            track = bar.mix.tracks[note.part]
            count = counts[note.part] = counts.get(note.part, 0) + 1
            variant = zlib.crc32(b"%d %d %s %d" % (bar.piece, _take(bar), note.part.encode(), count)) >> 8
            notes.append(
                ActiveNote(
                    note.part, track.instrument, note.pitch, note.velocity, _sample_of(bar, note.start_s),
                    round(note.length_s * MUSIC_RATE), variant, note.slide_from,
                    round(note.skip_s * MUSIC_RATE), note.pitched,
                )
            )  # fmt: skip
        dry: dict[str, Samples] = {}
        alive = []
        for one in notes:
            if self.only not in (None, one.part):
                continue
            if one.part not in dry:
                dry[one.part] = np.zeros(frames, np.float32)
            if self._mix_note(one, dry[one.part], start):
                alive.append(one)
        bus = np.zeros((2, frames), np.float32)
        room, plate = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
        parts: dict[str, PartState] = {}
        for name in sorted({*was.parts, *bar.mix.tracks}):
            if self.only not in (None, name):
                continue
            before = was.parts.get(name)
            new = bar.mix.tracks.get(name)
            if new is None:
                assert before is not None
                new = replace(before.track, level_db=-120.0)
            if before is None:
                before = PartState(new, np.zeros(HISTORY, np.float32), np.zeros(modulation.CHORUS_HISTORY, np.float32))
            mono = dry.get(name)
            if mono is None:
                if not before.lowpass.any() and not before.chorus.any():
                    if name in bar.mix.tracks:
                        parts[name] = PartState(new, before.lowpass, before.chorus)
                    continue
                mono = np.zeros(frames, np.float32)
            stereo, sent, kept = _play_part(name, mono, before, new, start, ramp)
            if name in bar.mix.tracks:
                parts[name] = kept
            under = np.sqrt(dip) if name == "bass" else dip
            stereo *= under
            sent *= under
            bus += stereo
            room += sent * _glide_db(before.track.room_db, new.room_db, ramp)
            plate += sent * _glide_db(before.track.plate_db, new.plate_db, ramp)
        return bus, room, plate, tuple(n for n in alive if n.part in bar.mix.tracks), parts

    def _mix_note(self, note: ActiveNote, into: Samples, start: int) -> bool:
        """Add the part of a note within this block; returns whether the note continues after it."""
        instrument = INSTRUMENTS[note.instrument]
        release_s = instrument.voice.release_s
        needed_s = (note.skip + note.held) / MUSIC_RATE + 7 * release_s
        what = (note.instrument, note.pitch, note.velocity, needed_s, note.variant)
        sound = pitched_sound(self.cache, *what, note.pitched) if note.pitched else sound_of(self.cache, *what)
        if note.slide_from is not None and instrument.articulations:
            glide_s = BEND_S if "bend" in instrument.articulations else GLIDE_S
            sound = slid(sound, note.slide_from - note.pitch, glide_s)
        release = round(7 * release_s * MUSIC_RATE)
        length = min(len(sound) - note.skip, note.held + release)
        low, high = max(0, start - note.at), min(length, start + len(into) - note.at)
        if low < high:
            piece = sound.part(note.skip + low, note.skip + high)
            piece *= np.float32(amplitude(note.instrument, note.velocity))
            if note.skip and low < len(_CHOP_RISE):
                opening = _CHOP_RISE[low:high]
                piece[: len(opening)] *= opening
            if high > note.held:
                since = np.arange(max(low, note.held), high, dtype=np.float32) - note.held
                letting_go = np.exp(since * np.float32(-1 / (release_s * MUSIC_RATE))) * (1 - since / release)
                soft = np.minimum(1.0, since / np.float32(0.004 * MUSIC_RATE))
                piece[max(0, note.held - low) :] *= 1 + (letting_go - 1) * soft
            into[low + note.at - start : high + note.at - start] += piece
        return note.at + length > start + len(into)

    def _play_drums(
        self, bar: Bar, old: Mix, ramp: Samples, music_end: int
    ) -> tuple[Samples, tuple[ActiveHit, ...], Samples, dynamics.PunchState]:
        was, start, frames = self.state, self.state.music, len(ramp)
        if self.only not in (None, "drums"):
            return np.zeros((2, frames), np.float32), (), was.drums, was.punch
        strokes = [*was.struck]
        for n, hit in enumerate(bar.hits):
            variant = zlib.crc32(b"%d %d %d drum" % (bar.piece, _take(bar), n)) >> 8
            strokes.append(ActiveHit(bar.mix.kit, hit.drum, hit.velocity, _sample_of(bar, hit.start_s), variant))
        skins, tops = np.zeros((2, 2, frames), np.float32)  # cymbals and shakers stay as soft as they are struck
        alive = []
        for one in strokes:
            sound = stroke_of(self.cache, one.kit, one.drum, one.velocity, one.variant)
            low, high = max(0, start - one.at), min(len(sound), music_end - one.at)
            if low < high:
                drum = DRUMS[one.drum]
                loud = 10 ** (drum.level_db / 20) * one.velocity**1.25
                piece = sound.part(low, high) * np.float32(loud)
                span = slice(low + one.at - start, high + one.at - start)
                left, right = _pan(drum.pan)
                bus = tops if drum.limb == "hat" else skins
                bus[0, span] += piece * left
                bus[1, span] += piece * right
            if one.at + len(sound) > music_end:
                alive.append(one)
        gain, punch = dynamics.punch(skins, was.punch, bar.mix.drums_attack_db, bar.mix.drums_parallel)
        both = skins * gain + tops
        kept = np.empty_like(was.drums)
        wet = old.drums_crush + (bar.mix.drums_crush - old.drums_crush) * ramp
        for ear in range(2):
            both[ear] += (tape.crush(both[ear]) - both[ear]) * wet
            both[ear], kept[ear] = colour(both[ear], was.drums[ear], _drum_tone(old), _drum_tone(bar.mix), ramp)
        both *= _glide_db(old.drums_db, bar.mix.drums_db, ramp)
        return both, tuple(alive), kept, punch

    def _play_tape(self, bar: Bar, old: Mix, fast: Samples, music_end: int) -> tuple[Samples, Samples]:
        """Apply the tape's transport and head: (2, ``bar.frames``) and the next tape history."""
        whole = np.concatenate([self.state.tape, fast], axis=1)
        end = 2 * (music_end - LOOK)  # score frame after the last column of `whole`
        first = end - whole.shape[1] + tape.HEAD_REACH
        ramp = np.linspace(0, 1, bar.frames, dtype=np.float32)
        depth = old.wow + (bar.mix.wow - old.wow) * ramp
        shift = tape.transport(bar.start_frame, bar.frames, self.seed) * depth
        places = np.arange(bar.frames) + (bar.start_frame - LATENCY + onsets.DELAY - first) + shift.astype(np.float64)
        return tape.read_at(tape.playback_head(whole), places), np.ascontiguousarray(whole[:, -_TAPE_HISTORY:])

    def _add_noise_and_ambience(self, out: Samples, bar: Bar, old: Mix) -> None:
        """Add crackle, hiss and ambience, which the tape does not bend. At the start of a stream, ambience fades in."""
        start, frames = bar.start_frame, bar.frames
        ramp = np.linspace(0, 1, frames, dtype=np.float32)
        if self.only in (None, "noise"):
            if max(old.crackle_db, bar.mix.crackle_db) > -100.0:
                level, before = bar.mix.crackle_db + _POP_DB, old.crackle_db + _POP_DB
                out += surface_noise.crackle(start, frames, self.seed) * _glide_db(before, level, ramp)
            if max(old.hiss_db, bar.mix.hiss_db) > -100.0:
                out += surface_noise.hiss(start, frames) * _glide_db(old.hiss_db, bar.mix.hiss_db, ramp)
        if self.only in (None, "ambience"):
            layers: set[Ambience] = {*old.ambience_lufs, *bar.mix.ambience_lufs}
            for name in sorted(layers):
                before, level = old.ambience_lufs.get(name, -120.0), bar.mix.ambience_lufs.get(name, -120.0)
                place = ambience.layer(name, start, frames, self.seed)
                place *= _glide_db(before - ambience.LUFS, level - ambience.LUFS, ramp)
                if start < _PLACE_UP:
                    place *= np.minimum(1.0, np.arange(start, start + frames, dtype=np.float32) / _PLACE_UP)
                out += place


def _start(first: int, frames: int) -> Samples:
    """The gain of music from sample ``first`` of a stream on: it begins at 0, and has no corner."""
    at = np.clip(np.arange(first, first + frames, dtype=np.float32) / _MUSIC_UP, 0.0, 1.0)
    return np.asarray(at * at * (3.0 - 2.0 * at), np.float32)


def empty_bar(state: RendererState, frames: int) -> Bar:
    """A bar of ``frames`` in which nothing is played, with the mix of the bar before it."""
    mix = replace(state.mix or Mix({}), music_lufs=None)
    return Bar(state.frame, frames, 4, (), (), mix, (), -1, 0, "tail", 60.0)


def _play_part(
    name: str, mono: Samples, before: PartState, new: Track, start: int, ramp: Samples
) -> tuple[Samples, Samples, PartState]:
    """Apply a part's effects: its sound (2, T), its sends (T,), and its next state."""
    old = before.track
    mono, lowpass_kept = colour(mono, before.lowpass, _tone(old), _tone(new), ramp)
    mono = mono * _glide_db(old.level_db, new.level_db, ramp)
    chorus_kept = before.chorus
    if max(old.chorus, new.chorus) > 0.0 or before.chorus.any():
        depth = old.chorus + (new.chorus - old.chorus) * ramp
        stereo = modulation.chorus(mono, before.chorus, start, depth)
    else:
        stereo = np.stack([mono, mono])
    chorus_kept = np.concatenate([before.chorus, mono])[-modulation.CHORUS_HISTORY :].copy()
    if max(old.tremolo, new.tremolo) > 0.0:
        rate_hz = 4.2 + (zlib.crc32(name.encode()) % 16) / 10.0
        stereo = modulation.tremolo(stereo, start, old.tremolo + (new.tremolo - old.tremolo) * ramp, rate_hz)
    if old.pan != 0.0 or new.pan != 0.0:
        (left, right), (left_to, right_to) = _pan(old.pan), _pan(new.pan)
        stereo = stereo * np.stack([left + (left_to - left) * ramp, right + (right_to - right) * ramp])
    return stereo, mono, PartState(new, lowpass_kept, chorus_kept)


def _tone(track: Track) -> Tone:
    return Tone(track.cutoff_hz, track.thin_hz, track.scoop_db, highs_db=track.highs_db)


def _drum_tone(mix: Mix) -> Tone:
    return Tone(mix.drums_cutoff_hz, air_db=mix.drums_air_db)


def _take(bar: Bar) -> int:
    return bar.bar if bar.take < 0 else bar.take


def _sample_of(bar: Bar, seconds: float) -> int:
    return round((bar.start_frame + max(-LOOKAHEAD_S, seconds) * RATE) / 2)


def _glide_db(old: float, new: float, ramp: Samples) -> Samples | np.float32:
    """Linear gain from ``old`` to ``new`` dB along ``ramp``; -100 dB and below is silence."""
    first, last = (np.float32(10 ** (db / 20) if db > -100.0 else 0.0) for db in (old, new))
    return first if first == last else first + (last - first) * ramp


def _pan(where: float) -> tuple[np.float32, np.float32]:
    angle = (where + 1) * np.pi / 4
    return np.float32(np.sqrt(2) * np.cos(angle)), np.float32(np.sqrt(2) * np.sin(angle))
