"""Keeps a station whose engine is slower than real time from running dry. Knows neither threads nor sound.

Before the reserve runs out the governor lowers the load, one step at a time, and takes the next step only when the
speed with the last one was measured and is still too low::

    full options ──▶ the lighter options that the engine declares (shorter window, fewer steps, a smaller model)
                 ──▶ intermittent: the engine works ahead while a fallback plays, in stretches; the slower it is,
                     the shorter they are

It raises the load again as soon as possible. An engine that has become fast enough plays continuously again. Fuller
options are tried in a second stream, which is not on air, while the reserve plays; only those that keep up go on air,
because the speed of a small model says little about a large one. Each failed trial doubles the wait for the next one;
an engine that has become twice as fast is tried at once. Options with which the engine fails are barred for an hour.
The threshold for raising the load is higher than that for lowering it, so that the level does not oscillate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

SLOW_SPEED = 1.0  # seconds of music per second of work; below this speed the engine cannot play continuously
SLOW_BESIDE = 0.85  # the same while a fallback plays, which takes its share of the machine
FAST_SPEED = 1.25  # at or above this speed the engine plays continuously again
INSTANT_START_SPEED = 3.0  # at or above this speed a first second of music is enough to go on air
LIGHTER_BELOW = 0.75  # share of the reserve below which a slow engine gets lighter options; above it trials may begin
DRY_WITHIN_S = 240.0  # an engine so little too slow that its reserve lasts longer is waited for: it may be chance
INTERMITTENT_BELOW = 0.5  # share of the reserve below which an engine without lighter options plays intermittently
STRETCH_S = 30.0  # longest stretch of a slow engine
SHORTEST_S = 10.0  # shortest stretch: less, between two crossfades, is not music
WAIT_S = 60.0  # the longest that listeners should wait for the next stretch
RETURN_S = 5.0  # music that a fast enough engine renders before it takes over from a fallback
BEGIN_S = 1.0  # the same at the beginning, when no fallback is on air
LATE_TOLERANCE = 1.5  # late reads (weighted) that may be chance
MEASURE_S = 6.0  # music to measure before the speed counts
TRIAL_MEASURE_S = 12.0  # music to measure before a trial counts
FIRST_S, LONGEST_S = 60.0, 3600.0  # wait before a trial: doubled after each failure
RETRY_FAILED_S = 3600.0  # for how long options with which the engine failed are not tried again
PAUSE_S = 10.0  # least time between two steps, however fast the engine has become
REACH_S = 10.0  # music over which the speed is measured, at least
PAUSES_S = 60.0  # music for which the longest read is remembered, at least
PRIOR_MADE_S, PRIOR_TOOK_S = 0.4, 0.1  # assumed before the first measurement: four times real time
PROVEN_S = 600.0  # options that kept up for this long are not counted as failed later


class Action(Enum):
    """What to do about an engine's speed."""

    KEEP = "keep"
    LIGHTER = "lighter"  # open a stream with the next lighter options
    INTERMITTENT = "intermittent"  # play in stretches from now on
    CONTINUOUS = "continuous"  # play continuously again
    TRIAL = "trial"  # open a second stream with the next fuller options, and ``judge_trial`` it


@dataclass(frozen=True)
class Pace:
    """The measured speed of an engine."""

    speed: float  # seconds of music per second of work
    made_s: float  # music measured so far, in seconds
    late: float = 10.0  # recent reads that took longer than the music they gave; older ones weigh less
    longest_s: float = 0.0  # the longest recent read
    window_s: float = 0.0  # music between its last two pauses

    @property
    def known(self) -> bool:
        return self.made_s >= MEASURE_S

    @property
    def slow(self) -> bool:
        """Whether it is too slow to play continuously. One long read is not enough: it may be chance."""
        return self.speed < SLOW_SPEED and self.late > LATE_TOLERANCE


class PaceMeter:
    """Measures an engine's pace read by read; older reads weigh less. One thread.

    An engine that makes its music in windows pauses for a window and then gives many reads at once. So its windows
    count as wholes, and the speed is measured over two of them, and over about ``REACH_S`` of music at least.
    """

    def __init__(self) -> None:
        self._made_s, self._took_s, self._total_s = PRIOR_MADE_S, PRIOR_TOOK_S, 0.0
        self._late = self._longest_s = 0.0
        self._window_s = 0.0  # music between the last two pauses
        self._since_s = 0.0  # music since the last pause
        self._new_made_s = self._new_took_s = 0.0  # of a window that is not whole yet

    @property
    def pace(self) -> Pace:
        speed = min(self._made_s / max(self._took_s, 1e-4), 1e4)
        return Pace(speed, self._total_s, self._late, self._longest_s, self._window_s)

    def add(self, music_s: float, took_s: float) -> None:
        """Note a read that gave ``music_s`` and took ``took_s`` seconds."""
        if took_s > music_s and took_s >= self._longest_s / 2:
            self._count()
            self._window_s, self._since_s = self._since_s, 0.0
        self._new_made_s += music_s
        self._new_took_s += took_s
        self._since_s += music_s
        self._total_s += music_s
        self._late = self._late * self._kept(music_s) + (took_s > music_s)
        self._longest_s = max(self._longest_s * (1.0 - music_s / max(PAUSES_S, 4.0 * self._window_s)), took_s)
        if self._since_s >= self._window_s:
            self._count()

    def _count(self) -> None:
        """Count what was read and has not been counted yet."""
        kept = self._kept(self._new_made_s)
        self._made_s = self._made_s * kept + self._new_made_s
        self._took_s = self._took_s * kept + self._new_took_s
        self._new_made_s = self._new_took_s = 0.0

    def _kept(self, music_s: float) -> float:
        """How much older measurements weigh after so much more music."""
        return math.exp(-music_s / max(REACH_S, 2.0 * self._window_s))


class Governor:
    """Decides for one station's engine, which declares ``lighter`` steps of lighter options. One thread."""

    def __init__(self, lighter: int = 0) -> None:
        self.intermittent = False  # the engine plays in stretches
        self.level = 0  # lighter steps in force
        self.unproven = False  # whether the level is light enough is not known yet
        self._lighter = lighter
        self._barred, self._barred_until = 0, 0.0  # this level and all lighter ones are not used until then
        self._waits_s: dict[int, float] = {}  # by level: the wait before its next trial
        self._changed = self._rose = -LONGEST_S
        self._due = 0.0  # when the next fuller level may be tried
        self._first_speed: float | None = None  # at this level, when it was first known

    def declare(self, lighter: int) -> None:
        """The engine has ``lighter`` lighter steps; none is barred."""
        self._lighter, self._barred = lighter, 0
        if self.level > lighter:
            self.level, self.unproven = lighter, False

    def decide(self, now: float, pace: Pace, reserve_s: float, target_s: float, on_air: bool) -> Action:
        """Decide what to do about an engine of this pace, with ``reserve_s`` of ``target_s`` in reserve."""
        if not pace.known:
            return Action.KEEP
        self._first_speed = pace.speed if self._first_speed is None else self._first_speed
        self.unproven = self.unproven and pace.slow
        if self.intermittent:
            if pace.speed <= FAST_SPEED:
                return Action.KEEP
            self.intermittent = False
            return Action.CONTINUOUS
        if pace.slow:
            runs_dry = on_air and reserve_s < DRY_WITHIN_S * (SLOW_SPEED - pace.speed)
            too_heavy = (runs_dry and reserve_s < LIGHTER_BELOW * target_s) if on_air else pace.speed < SLOW_BESIDE
            if too_heavy and self.level < self._lightest(now):
                self._go_lighter(now)
                return Action.LIGHTER
            if runs_dry and reserve_s < INTERMITTENT_BELOW * target_s:
                self.intermittent = True
                return Action.INTERMITTENT
        elif self.level and on_air and reserve_s >= LIGHTER_BELOW * target_s and self._may_try(now, pace.speed):
            return Action.TRIAL
        return Action.KEEP

    def judge_trial(self, now: float, trial: Pace, speed: float, reserve_s: float, target_s: float) -> bool | None:
        """Whether the fuller options keep up, and are in force from now on; None while it is not known yet.

        ``speed`` is that of the stream on air.
        """
        if trial.made_s < TRIAL_MEASURE_S and reserve_s >= INTERMITTENT_BELOW * target_s:
            return None
        self._changed = now
        if trial.made_s >= TRIAL_MEASURE_S and trial.speed >= FAST_SPEED:
            self.level -= 1
            self._rose, self._first_speed = now, None
            self._due = now + self._waits_s.get(self.level - 1, FIRST_S)
            return True
        self._first_speed = speed
        self._wait_longer(now, self.level - 1)
        return False

    def level_failed(self, now: float) -> None:
        """The lightest options failed: go back one level and do not try that level again for an hour."""
        self._barred, self._barred_until = self.level, now + RETRY_FAILED_S
        self.level, self.unproven = self.level - 1, True

    def stretch_s(self, pace: Pace) -> float:
        """How much a slow engine renders before it goes on air again, in seconds."""
        return min(max(SHORTEST_S, pace.speed * WAIT_S), STRETCH_S)

    def margin_s(self, pace: Pace, replaced: bool, empty: bool) -> float:
        """How much the engine must render ahead before it goes on air, in seconds.

        ``replaced``: a fallback is on air; ``empty``: the reserve is.
        """
        if self.intermittent or (replaced and pace.speed < FAST_SPEED):
            return self.stretch_s(pace)
        if replaced and self.unproven:
            return MEASURE_S  # with less, its speed is not known, and it may have to leave again at once
        if replaced and pace.window_s > RETURN_S:
            return pace.window_s + RETURN_S  # with one window alone, it would be late with the next one
        return BEGIN_S if empty and not replaced and pace.speed >= INSTANT_START_SPEED else RETURN_S

    def trial_wait_s(self, now: float) -> float:
        """Seconds until fuller options may be tried."""
        return max(0.0, self._due - now)

    def _lightest(self, now: float) -> int:
        """The lightest level that may be used."""
        return self._barred - 1 if self._barred and now < self._barred_until else self._lighter

    def _go_lighter(self, now: float) -> None:
        if self.level not in self._waits_s or now - self._rose >= PROVEN_S:
            self._waits_s[self.level] = FIRST_S
            self._due = now + FIRST_S
        else:
            self._wait_longer(now, self.level)
        self.level += 1
        self.unproven, self._changed, self._first_speed = True, now, None

    def _wait_longer(self, now: float, level: int) -> None:
        self._waits_s[level] = min(2.0 * self._waits_s.get(level, FIRST_S / 2.0), LONGEST_S)
        self._due = now + self._waits_s[level]

    def _may_try(self, now: float, speed: float) -> bool:
        assert self._first_speed is not None
        sooner = now - self._changed >= PAUSE_S and speed >= 2.0 * self._first_speed
        return speed >= FAST_SPEED and (sooner or now >= self._due)
