"""An endless or finite sequence of bars: plans pieces, composes them section by section, replans when steered.

All state of composition is here: a few kilobytes of JSON, from which the very same bars continue. Knows
nothing of sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...request import Request
from ..base import Understanding
from .chance import digest
from .options import SynthOptions
from .planning.memory import Memory
from .planning.planner import Length, plan_piece
from .planning.replanning import replan
from .planning.turns import players_without_notes
from .prompts.additions import is_addition
from .prompts.explanation import describe, name_of
from .prompts.intent import Intent
from .prompts.parser import read_intent
from .score import RATE, Bar
from .spec import PieceSpec
from .writing.composer import SectionState, compose_section
from .writing.metres import METRES

VERSION = 3
_LONGEST_PIECE_S = 200.0
_KEPT = 16  # pieces whose facts are kept


class Programme:
    """The bars of one request, one after another. Not thread-safe."""

    def __init__(self, request: Request, options: SynthOptions, memory: Memory | None = None) -> None:
        self.request = request
        self.options = options
        self.memory = memory or Memory()
        self._seed = digest(request.seed, request.prompt) >> 1
        self._prompt = request.prompt
        self._intent, self._ignored = read_intent(request.prompt, options)
        self._total = None if request.duration_s is None else round(request.duration_s * RATE)
        self._spec: PieceSpec | None = None
        self._section = 0  # of the piece
        self._carry = SectionState()  # into that section
        self._given = 0  # bars of the section that were given
        self._bar = 0  # of the piece
        self._frame = 0
        self._number = 0
        self._turns = 0
        self._pieces: dict[int, dict[str, Any]] = {}
        self._written: tuple[list[Bar], SectionState] | None = None  # the section, composed
        self._told: dict[
            type, tuple[object, dict[str, Any]]
        ] = {}  # the JSON of memory and spec, for as long as they hold

    @property
    def understanding(self) -> Understanding:
        """What was understood and, once a piece is planned, which instruments found no room in it."""
        intent = self._intent
        if self._spec is not None and (missing := players_without_notes(self._spec.sections, intent, self._spec.band)):
            intent = replace(intent, notes=(*intent.notes, *(f"no room for {name_of(name)}" for name in missing)))
        return describe(intent, self._ignored)

    @property
    def loops(self) -> bool:
        """Whether its bars are one loop."""
        return self.options.loop and self._total is not None

    def next_bar(self) -> Bar | None:
        """The next bar; None after the end of a finite programme."""
        if self._spec is None or self._section >= len(self._spec.sections):
            if self._total is not None and (self._frame >= self._total or (self.loops and self._number)):
                return None
            self._begin()
        assert self._spec is not None
        bars, carry = self._compose()
        bar = replace(bars[self._given], start_frame=self._frame, bar=self._bar)
        self._frame += bar.frames
        self._bar += 1
        self._given += 1
        if self._given == len(bars):
            self._section, self._given, self._carry, self._written = self._section + 1, 0, carry, None
        return bar

    def steer(self, prompt: str, over_s: float = 8.0) -> Understanding:
        """Follow another prompt from the next bar that is read on.

        Raises:
            PromptError: the prompt does not parse; nothing has changed then.
        """
        said, ignored = read_intent(prompt, self.options)
        intent = said.after(self._intent) if is_addition(prompt, said) else said
        self._intent, self._prompt, self._ignored = intent, prompt, ignored
        self._turns += 1
        if self._spec is not None and self._section < len(self._spec.sections):
            _, carry = self._compose()
            spec, self.memory = replan(
                self._spec, self._section, self._given, intent, said, prompt, self.memory, self._turns, over_s
            )
            self._spec = spec
            if self._given and spec.sections[self._section].bars == self._given:
                self._section, self._given, self._carry = self._section + 1, 0, carry
                self._written = None
            elif not self._given:
                self._written = None
            self._note_facts()
        return self.understanding

    def piece(self, number: int) -> Mapping[str, Any]:
        """The facts of a piece that has begun (the last few are kept).

        Raises:
            KeyError: it has not begun, or was long ago.
        """
        return dict(self._pieces[number])

    @property
    def spec(self) -> PieceSpec | None:
        """The piece that plays."""
        return self._spec

    def _begin(self) -> None:
        length = self._length()
        self._spec, self.memory = plan_piece(self._seed, self._number, self._intent, self._prompt, self.memory, length)
        self._number += 1
        self._section = self._given = self._bar = 0
        self._carry = SectionState()
        self._written = None
        self._note_facts()

    def _length(self) -> Length:
        if self._total is None:
            return Length()
        if self.loops:
            return Length(self._total, loop=True)
        left = self._total - self._frame
        pieces = max(1, round(left / RATE / 150.0)) if left > _LONGEST_PIECE_S * RATE else 1
        return Length(left // pieces, last=pieces == 1)

    def _compose(self) -> tuple[list[Bar], SectionState]:
        assert self._spec is not None
        if self._written is None:
            self._written = compose_section(self._spec, self._section, self._carry)
        return self._written

    def _note_facts(self) -> None:
        assert self._spec is not None
        spec = self._spec
        frames = sum(METRES[s.metre].bar_frames(s.tempo(b)) for s in spec.sections for b in range(s.bars))
        frames += sum(s.tail_frames for s in spec.sections)
        if self._total is not None and not self.loops:
            frames = min(frames, self._total)
        last = spec.sections[-1]
        self._pieces[spec.number] = {
            "title": spec.title,
            "tempo_bpm": last.tempo_to / METRES[last.metre].quarters_per_beat,
            "metre": last.metre,
            "key": last.key.name,
            "frames": frames,
            "prompt": spec.prompt,
            "form": spec.form,
        }
        for number in sorted(self._pieces)[:-_KEPT]:
            del self._pieces[number]

    def state(self) -> dict[str, Any]:
        """All that ``restore`` needs; JSON-able."""
        return {
            "version": VERSION,
            "request": {
                "prompt": self.request.prompt,
                "seed": self.request.seed,
                "duration_s": self.request.duration_s,
                "options": dict(self.request.options),
            },
            "options": dict(vars(self.options)),
            "memory": self._json(self.memory),
            "prompt": self._prompt,
            "wishes": self._intent.to_json(),
            "ignored": list(self._ignored),
            "spec": None if self._spec is None else self._json(self._spec),
            "section": self._section,
            "carry": [list(self._carry.voicing), self._carry.bass],
            "given": self._given,
            "bar": self._bar,
            "frame": self._frame,
            "number": self._number,
            "turns": self._turns,
            "pieces": {str(n): facts for n, facts in self._pieces.items()},
        }

    def _json(self, value: Memory | PieceSpec) -> dict[str, Any]:
        """The JSON of a value that seldom changes, made once and shared by all states that hold it."""
        told = self._told.get(type(value))
        if told is None or told[0] is not value:
            told = self._told[type(value)] = (value, value.to_json())
        return told[1]

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> Programme:
        """A programme that goes on from ``state``."""
        asked = state["request"]
        request = Request(asked["prompt"], asked["seed"], asked["duration_s"], asked["options"])
        programme = cls(request, SynthOptions(**state["options"]), Memory.of_json(state["memory"]))
        programme._prompt = state["prompt"]
        programme._intent, programme._ignored = Intent.of_json(state["wishes"]), tuple(state["ignored"])
        programme._spec = None if state["spec"] is None else PieceSpec.of_json(state["spec"])
        voicing, low = state["carry"]
        programme._carry = SectionState(tuple(voicing), low)
        for name in ("section", "given", "bar", "frame", "number", "turns"):
            setattr(programme, "_" + name, state[name])
        programme._pieces = {int(n): dict(facts) for n, facts in state["pieces"].items()}
        return programme
