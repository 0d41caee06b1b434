"""The prompts that a station plays by itself, and the one to which it returns when its music breaks again and again.

A station plays its prompts in turn, or the prompt of the time of day. A prompt is given up after MAX_BREAKS failures
that follow each other within TRUST_S. The station then returns to the last prompt that played for PLAYED_S. If there is
none, the embedded engine plays the plain prompt; another engine keeps the prompt, because it may be the engine that is
broken, and a fallback plays meanwhile. If the plain prompt breaks too, the engine is at fault: the station keeps the
first prompt that was given up until something plays again. Knows no engine, no thread.
"""

from __future__ import annotations

from collections import deque

from ..settings.stations import StationSettings

PIECES_PER_PROMPT = 2  # pieces before a station with several prompts goes on to the next
MAX_BREAKS = 3  # failures after which a prompt is given up
PLAYED_S = 10.0  # seconds on air after which a station may return to a prompt
TRUST_S = 120.0  # seconds without a failure after which they are counted from 0 again
PLAIN = ""  # the prompt that asks for nothing: every engine chooses for itself
REMEMBERED_PROMPTS = 8  # prompts that are remembered, played and given up


class OwnProgramme:
    """The programme of one station's settings. Playout thread, except for ``prompt``, which any thread may read."""

    def __init__(self, config: StationSettings, minute: int) -> None:
        self.config = config
        self._scheduled = config.prompt_at(minute)  # by the time of day; None: none is
        self._index = 0  # of the configured prompts
        self._pieces = 0  # begun since the prompt last changed

    @property
    def prompt(self) -> str:
        """The prompt that it plays now."""
        return self._scheduled or self.config.prompt(self._index)

    def restart_turn(self) -> None:
        """Count the pieces from 0 again: another prompt was put in force."""
        self._pieces = 0

    def moved_to(self, minute: int) -> bool:
        """Tell whether another span of hours begins at a minute of the day."""
        scheduled = self.config.prompt_at(minute) if self.config.hours else None
        changed, self._scheduled = scheduled != self._scheduled, scheduled
        return changed

    def piece_began(self) -> bool:
        """Note that a piece began; tell whether it is the next prompt's turn."""
        self._pieces += 1
        if self._scheduled is not None or len(self.config.prompts) == 1 or self._pieces <= PIECES_PER_PROMPT:
            return False
        self._index += 1
        return True


class PromptGuard:
    """Counts the failures of one station's prompts. Producer thread only.

    ``embedded``: the station's engine is the embedded one, so no other engine can stand in for it.
    """

    def __init__(self, embedded: bool) -> None:
        self._embedded = embedded
        self._played: deque[str] = deque(maxlen=REMEMBERED_PROMPTS)  # each for PLAYED_S or longer, the last at the end
        self._given_up: list[str] = []  # oldest first
        self._engine_broken = False  # even the plain prompt breaks
        self._playing: tuple[str, float] | None = None  # the prompt on air, and since when
        self._breaks = 0  # failures of `_breaking`
        self._breaking = ""
        self._broke_at = 0.0

    def playing(self, prompt: str, now: float) -> None:
        """Note that the station's engine plays ``prompt``."""
        if self._playing is None or self._playing[0] != prompt:
            self._playing = prompt, now
        elif now - self._playing[1] >= PLAYED_S:
            self._engine_broken = False
            if not self._played or self._played[-1] != prompt:
                if prompt in self._played:
                    self._played.remove(prompt)
                self._played.append(prompt)

    def broke(self, prompt: str, now: float) -> str | None:
        """Note that a stream of ``prompt`` failed; returns the prompt to return to, or None to try it again."""
        self._playing = None
        if prompt != self._breaking or now - self._broke_at > TRUST_S:
            self._breaking, self._breaks = prompt, 0
        self._breaks += 1
        self._broke_at = now
        if self._breaks < MAX_BREAKS or self._engine_broken or (not self._embedded and prompt in self._played):
            return None
        if prompt not in self._given_up:
            self._given_up = [*self._given_up, prompt][-REMEMBERED_PROMPTS:]
        usable = [one for one in self._played if one not in self._given_up]
        if usable:
            return usable[-1]
        if not self._embedded:
            return None
        if prompt != PLAIN:
            return PLAIN
        self._engine_broken = True
        first, self._given_up = self._given_up[0], []
        return first if first != PLAIN else None
