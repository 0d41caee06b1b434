"""Steering an engine that takes seconds until its first music: a fork gets as long as the last one took."""

from recorded_station import RecordedStation
from sine_engine import RATE, SineEngine, SineStream

from lullwave.clock import SimulatedClock
from lullwave.server.engine_pool import EnginePool

TURN_S = 2.0  # until the first music after a change of prompt


class Slow:
    """The clock of the station, the frames at which a fork was steered, and how long closing a stream takes."""

    def __init__(self, closing_s=0.0):
        self.clock, self.steered, self.closing_s = SimulatedClock(), [], closing_s

    def wait_until(self, moment):
        if moment > self.clock.now():
            waiter = self.clock.waiter()
            waiter.wait_until(moment)
            waiter.close()

    def engine(self):
        slow = self

        class SlowEngine(SineEngine):
            def open(self, request, **audio_prompts):
                opened = super().open(request, **audio_prompts)
                return SlowStream(self, request, opened._hz, 0, [])

            def restore(self, snapshot):
                made = super().restore(snapshot)
                return SlowStream(self, made.request, made._hz, made.position, made._steers)

        class SlowStream(SineStream):
            ready = 0.0

            def steer(self, prompt, over_s=8.0):
                slow.steered.append(self.position)
                self.ready = slow.clock.now() + TURN_S
                return super().steer(prompt, over_s)

            def read(self, frames):
                slow.wait_until(self.ready)
                return super().read(frames)

            def close(self):
                slow.wait_until(slow.clock.now() + slow.closing_s)
                super().close()

        return SlowEngine


def steered(tape, prompt):
    """Steer, and play until that is carried out."""
    asked = tape.station.steer(prompt, over_s=1.0)
    while not asked.done():
        tape.play(0.25)
    return asked.result()


def test_a_slow_fork_is_tried_once_more_and_the_next_one_has_time_at_once():
    slow = Slow()
    engines = EnginePool({"synth": SineEngine, "sines": slow.engine()})
    with RecordedStation("sines", engines=engines, clock=slow.clock) as tape:
        tape.play(30)
        for turn, (tries, least_s, most_s) in enumerate([(2, 4.4, 5.4), (1, 2.4, 3.4)]):
            edge = tape.station.edge
            slow.steered.clear()
            found = steered(tape, f"more of it {turn}")
            assert len(slow.steered) == tries
            assert least_s <= (found.frame - edge) / RATE <= most_s
            tape.play(20)


def test_an_engine_that_has_just_given_a_fork_is_not_taken_for_one_that_does_not_answer():
    slow = Slow(closing_s=0.4)  # the fork is in its place, and little music is ready
    engines = EnginePool({"synth": SineEngine, "sines": slow.engine()})
    with RecordedStation("sines", engines=engines, clock=slow.clock) as tape:
        tape.play(30)
        for turn in range(3):
            steered(tape, f"more of it {turn}")
            tape.play(20)
        slow.closing_s = 0.0
    assert {event.data["rung"] for event in tape.events if event.kind == "rung"} == {"engine"}
