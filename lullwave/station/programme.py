"""What a station plays by itself: its prompts in turn, or the prompt of the time of day. Knows no engine, no thread."""

from __future__ import annotations

from ..settings.stations import StationSettings

PIECES_PER_PROMPT = 2  # pieces before a station with several prompts goes on to the next


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
