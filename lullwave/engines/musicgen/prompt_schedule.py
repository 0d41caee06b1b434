"""The prompts of a song and their blend at every step, and where its windows begin.

Everything is a function of the step, so that a song can be rolled back or resumed at any step. Knows nothing of
tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .model.config import FRAME_RATE

OVERLAP = 0.4  # share of a window with which the next one begins, as published
OVERLAP_ON_CPU = 0.2  # where its positions, computed a second time, cost most
MAX_PROMPTS = 8  # prompts blended at once: each costs attention, and more cannot be told apart
_REACH_STEPS = 9000  # steps that must stay reproducible: 90 s of rollback, a window of 30 s and a reserve


@dataclass(frozen=True)
class Steer:
    """Blends to ``prompt`` over ``over`` steps, from ``step`` on."""

    step: int
    over: int
    prompt: str


@dataclass(frozen=True)
class Window:
    """A part of the song that the model sees at once. ``first`` is the frame at its first position."""

    number: int
    first: int


@dataclass(frozen=True)
class Anchor:
    """From ``step`` on, windows slide from ``window``."""

    step: int
    window: Window


@dataclass(frozen=True)
class PromptSchedule:
    """The first prompt of a song and its steers so far. Snapshots hold these fields by name."""

    prompt: str
    steers: tuple[Steer, ...] = ()
    anchors: tuple[Anchor, ...] = (Anchor(0, Window(0, 0)),)
    length: int = 1500  # steps per window: 30 s, on which the published models were trained, or less
    stride: int = 900  # steps by which windows slide: 60 % of the length, as published

    @classmethod
    def for_window(cls, prompt: str, window_s: float, overlap_s: float) -> PromptSchedule:
        """A schedule whose windows have this length, and overlap by so much, or by half of it if that is less."""
        length = round(window_s * FRAME_RATE)
        return cls(prompt, length=length, stride=length - min(round(overlap_s * FRAME_RATE), length // 2))

    def shares(self, step: int) -> dict[str, float]:
        """The share of each prompt at ``step``; the shares add up to 1."""
        shares = {self.prompt: 1.0}
        for i, steer in enumerate(self.steers):
            if steer.step > step:
                break
            until = self.steers[i + 1].step if i + 1 < len(self.steers) else step
            done = 1.0 if steer.over <= 0 else min(1.0, (min(step, until) - steer.step + 1) / steer.over)
            mixed = {prompt: share * (1.0 - done) for prompt, share in shares.items() if done < 1.0}
            mixed[steer.prompt] = mixed.get(steer.prompt, 0.0) + done
            shares = mixed if len(mixed) <= MAX_PROMPTS else _without_least(mixed, steer.prompt)
        return shares

    def dominant_prompt(self, step: int) -> str:
        """The prompt with the largest share; of equals, the newer one."""
        shares = self.shares(step)
        return max(reversed(list(shares)), key=lambda prompt: shares[prompt])

    def target_prompt(self, step: int) -> str:
        """The prompt of the last steer, which the blend ends at."""
        past = [steer.prompt for steer in self.steers if steer.step <= step]
        return past[-1] if past else self.prompt

    def window_at(self, step: int) -> Window:
        """The window in which the token of ``step`` is generated."""
        anchor = next(a for a in reversed(self.anchors) if a.step <= step)
        slid = max(0, (step - anchor.window.first - self.length) // self.stride + 1)
        return Window(anchor.window.number + slid, anchor.window.first + slid * self.stride)

    def next_window(self, step: int) -> Window | None:
        """The window after it, from the step of its first frame on: it is filled while the current one is used."""
        window = self.window_at(step)
        first = window.first + self.stride
        return Window(window.number + 1, first) if first <= step < window.first + self.length else None

    def with_steer(self, step: int, over: int, prompt: str, new_window: bool) -> PromptSchedule:
        """The schedule with a steer from ``step`` on; later steers are dropped.

        ``new_window`` begins a window there, with the usual overlap: for models whose prompt is part of the sequence.
        """
        steers = (*_within_reach(tuple(s for s in self.steers if s.step < step), step), Steer(step, over, prompt))
        anchors = tuple(a for a in self.anchors if a.step < step or a.step == 0)
        first = max((i for i, anchor in enumerate(anchors) if anchor.step <= step - _REACH_STEPS), default=0)
        anchors = anchors[first:]
        if step == 0:
            return replace(self, prompt=prompt, steers=())
        if new_window:
            before = replace(self, anchors=anchors).window_at(step - 1)
            first = max(before.first, step - (self.length - self.stride))
            anchors = (*anchors, Anchor(step, Window(before.number + 1, first)))
        return replace(self, steers=steers, anchors=anchors)

    def fill_step(self, window: Window) -> int:
        """The step from which a window is filled; it determines the prompt in the window's prefix."""
        anchor = next((a for a in reversed(self.anchors) if a.window.number <= window.number), self.anchors[0])
        return anchor.step if anchor.window == window else window.first


def _without_least(shares: dict[str, float], newest: str) -> dict[str, float]:
    """Drop the smallest share except the newest prompt's, and spread it over the other old prompts."""
    least = min((prompt for prompt in shares if prompt != newest), key=lambda prompt: shares[prompt])
    rest = {prompt: share for prompt, share in shares.items() if prompt != least}
    old = sum(share for prompt, share in rest.items() if prompt != newest)
    more = (old + shares[least]) / old if old > 0 else 1.0
    return {prompt: share if prompt == newest else share * more for prompt, share in rest.items()}


def _within_reach(steers: tuple[Steer, ...], step: int) -> tuple[Steer, ...]:
    """Drop steers that were replaced before any step to which a song can be rolled back."""
    for i in range(len(steers) - 1, -1, -1):
        steer = steers[i]
        over = max(1, steer.over)
        until = steers[i + 1].step if i + 1 < len(steers) else step
        if until - steer.step + 1 >= over and steer.step + over <= step - _REACH_STEPS:
            return (replace(steer, step=steer.step + over - 1, over=0), *steers[i + 1 :])
    return steers
