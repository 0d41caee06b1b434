"""What a song is steered by, as a function of its step: prompts, how they blend over time, where windows begin.

Knows nothing of tensors. Everything here is arithmetic on steps, so that a song can be rolled back or taken up
elsewhere by saying where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .config import FRAME_RATE

MOST_PROMPTS = 8  # that weigh at once: more are not heard apart, and every one costs
_REACH = 9000  # steps: songs are taken up again from at most 90 s back, over a window of 30 s; the rest is to spare


@dataclass(frozen=True)
class Steer:
    """From ``step`` on, over ``over`` steps, towards ``prompt``."""

    step: int
    over: int
    prompt: str


@dataclass(frozen=True)
class Window:
    """A stretch of the song that the model sees as one piece. ``first`` is the frame at its first position."""

    number: int
    first: int


@dataclass(frozen=True)
class Anchor:
    """From ``step`` on, windows are counted from ``window``."""

    step: int
    window: Window


@dataclass(frozen=True)
class Program:
    """The steering of one song so far."""

    prompt: str
    steers: tuple[Steer, ...] = ()
    anchors: tuple[Anchor, ...] = (Anchor(0, Window(0, 0)),)
    length: int = 1500  # steps of a window: the 30 s that the published models were trained on, or less
    stride: int = 900  # by which it slides: the published 18 s, or as much of less

    @classmethod
    def within(cls, prompt: str, window_s: float) -> Program:
        """The program of a song that sees so much of its past."""
        length = round(window_s * FRAME_RATE)
        return cls(prompt, length=length, stride=length * 3 // 5)

    def shares(self, step: int) -> dict[str, float]:
        """How much each prompt weighs at ``step``; the shares add up to 1."""
        shares = {self.prompt: 1.0}
        for i, steer in enumerate(self.steers):
            if steer.step > step:
                break
            until = self.steers[i + 1].step if i + 1 < len(self.steers) else step
            done = 1.0 if steer.over <= 0 else min(1.0, (min(step, until) - steer.step + 1) / steer.over)
            mixed = {prompt: share * (1.0 - done) for prompt, share in shares.items() if done < 1.0}
            mixed[steer.prompt] = mixed.get(steer.prompt, 0.0) + done
            shares = mixed if len(mixed) <= MOST_PROMPTS else _without_least(mixed, steer.prompt)
        return shares

    def leading(self, step: int) -> str:
        """The prompt that weighs most; of equals, the newer."""
        shares = self.shares(step)
        return max(reversed(list(shares)), key=lambda prompt: shares[prompt])

    def aim(self, step: int) -> str:
        """The prompt that the song is on its way to."""
        past = [steer.prompt for steer in self.steers if steer.step <= step]
        return past[-1] if past else self.prompt

    def main(self, step: int) -> Window:
        """The window that makes the token of ``step``."""
        anchor = next(a for a in reversed(self.anchors) if a.step <= step)
        slid = max(0, (step - anchor.window.first - self.length) // self.stride + 1)
        return Window(anchor.window.number + slid, anchor.window.first + slid * self.stride)

    def shadow(self, step: int) -> Window | None:
        """The window that will follow, once its first frame is reached: it is filled while the main one plays."""
        window = self.main(step)
        first = window.first + self.stride
        return Window(window.number + 1, first) if first <= step < window.first + self.length else None

    def steered(self, step: int, over: int, prompt: str, anew: bool) -> Program:
        """The program with a steer from ``step`` on; later ones are forgotten.

        ``anew`` begins a window there, over as much of the past as windows overlap by: for models whose prompt is
        part of the sequence.
        """
        steers = (*_within_reach(tuple(s for s in self.steers if s.step < step), step), Steer(step, over, prompt))
        anchors = tuple(a for a in self.anchors if a.step < step or a.step == 0)
        first = max((i for i, anchor in enumerate(anchors) if anchor.step <= step - _REACH), default=0)
        anchors = anchors[first:]
        if step == 0:
            return replace(self, prompt=prompt, steers=())
        if anew:
            before = replace(self, anchors=anchors).main(step - 1)
            first = max(before.first, step - (self.length - self.stride))
            anchors = (*anchors, Anchor(step, Window(before.number + 1, first)))
        return replace(self, steers=steers, anchors=anchors)

    def begins(self, window: Window) -> int:
        """The step at which a window begins to be filled, which decides the prompt before its sequence."""
        anchor = next((a for a in reversed(self.anchors) if a.window.number <= window.number), self.anchors[0])
        return anchor.step if anchor.window == window else window.first


def _without_least(shares: dict[str, float], newest: str) -> dict[str, float]:
    """The same less the smallest, which goes to the other old ones; the newest only begins."""
    least = min((prompt for prompt in shares if prompt != newest), key=lambda prompt: shares[prompt])
    rest = {prompt: share for prompt, share in shares.items() if prompt != least}
    old = sum(share for prompt, share in rest.items() if prompt != newest)
    more = (old + shares[least]) / old if old > 0 else 1.0
    return {prompt: share if prompt == newest else share * more for prompt, share in rest.items()}


def _within_reach(steers: tuple[Steer, ...], step: int) -> tuple[Steer, ...]:
    """The same less those that were replaced so long ago that nobody gets back to them."""
    for i in range(len(steers) - 1, -1, -1):
        steer = steers[i]
        over = max(1, steer.over)
        until = steers[i + 1].step if i + 1 < len(steers) else step
        if until - steer.step + 1 >= over and steer.step + over <= step - _REACH:
            return (replace(steer, step=steer.step + over - 1, over=0), *steers[i + 1 :])
    return steers
