"""``lullwave.testing`` finds the rule that an engine breaks: engines with one fault each fail the test of that rule."""

import inspect
import itertools
from zlib import crc32

import numpy as np
import pytest

from lullwave import Audio, Engine
from lullwave.engines.base import Mark
from lullwave.engines.function import FunctionStream
from lullwave.testing import EngineContract

RATE, SPAN = 8000, 2000  # Hz; frames of one block


def noise(*key):
    return np.random.default_rng([*key]).standard_normal((SPAN, 1)) * 0.1


class Noise(Engine):
    """An engine without a fault."""

    rate, channels = RATE, 1

    def read(self, request, start):
        span, skip = divmod(start, SPAN)
        return Audio.of(noise(request.seed, crc32(request.prompt.encode()), span)[skip:], RATE)


def streaming(kind):
    """An engine whose streams are of this class."""

    class Faulty(Noise):
        def open(self, request, **audio_prompts):
            return kind(self, request)

        def restore(self, snapshot):
            return kind.restore(self, snapshot)

    return Faulty


class SeamsAtReads(FunctionStream):
    def read(self, frames):
        block = super().read(frames)
        return Audio(np.concatenate([block.samples[:1] * 0, block.samples[1:]]), RATE)


class Longer(FunctionStream):
    def read(self, frames):
        block = super().read(frames)
        return Audio(np.concatenate([block.samples, block.samples[-1:]]), RATE)


class Deaf(FunctionStream):
    def steer(self, prompt, over_s=8.0):
        return self._engine.understand(prompt)


class Forgetful(FunctionStream):
    def _before(self, frame):
        return []


class Reaching(FunctionStream):
    def _reached(self, at_frame):
        return self.position if at_frame is None else max(0, at_frame)


class Everywhere(FunctionStream):
    def marks(self, start, stop):
        return [Mark(0, "piece", {"title": "x"}), Mark(stop + 1, "piece", {"title": "y"})]


class Untitled(FunctionStream):
    def marks(self, start, stop):
        return [Mark(0, "piece", {"title": ""})][: start == 0 < stop]


class Open(FunctionStream):
    def close(self):
        pass


class Unseeded(Noise):
    def read(self, request, start):
        return Audio.of(noise(crc32(request.prompt.encode()), start // SPAN)[start % SPAN :], RATE)


class Random(Noise):
    numbers = itertools.count()

    def read(self, request, start):
        return Audio.of(noise(next(self.numbers)), RATE)


class NoNumbers(Noise):
    def read(self, request, start):
        return Audio(np.full((SPAN, 1), np.nan, np.float32), RATE)


class ClosesOnce(Noise):
    def close(self):
        self.__dict__.setdefault("closed", []).append(1)
        assert len(self.closed) == 1


class Keeping(Noise):
    def open(self, request, **audio_prompts):
        self.__dict__.setdefault("kept", []).append(super().open(request))
        return self.kept[-1]


class Credulous(Noise):
    def restore(self, snapshot):
        try:
            return super().restore(snapshot)
        except Exception:
            return FunctionStream(self, self.request)


def contract_of(engine):
    class Contract(EngineContract):
        read_s = 0.3

        def load(self):
            return engine()

    return Contract()


def run(contract, test, engine):
    """Run one test of a contract on an engine."""
    method = getattr(contract, test)
    method(engine(), **({"duration_s": 1.3} if "duration_s" in inspect.signature(method).parameters else {}))


@pytest.mark.parametrize(
    ("engine", "rule"),
    [
        (streaming(SeamsAtReads), "the_sizes_of_blocks_do_not_matter"),
        (streaming(Longer), "a_finite_stream_has_its_length_and_then_ends"),
        (streaming(Deaf), "a_change_of_prompt_is_heard_from_then_on_and_marked"),
        (streaming(Forgetful), "a_restored_stream_and_a_fork_go_on_with_the_same_samples"),
        (streaming(Reaching), "snapshots_that_cannot_be_used_are_refused"),
        (streaming(Everywhere), "marks_and_beats_lie_in_the_frames_that_were_asked_for"),
        (streaming(Untitled), "marks_and_beats_lie_in_the_frames_that_were_asked_for"),
        (streaming(Open), "a_closed_stream_says_so_and_the_others_go_on"),
        (Unseeded, "a_new_engine_makes_the_same_samples_and_another_seed_others"),
        (Random, "a_new_engine_makes_the_same_samples_and_another_seed_others"),
        (NoNumbers, "a_block_is_finite_sound_of_the_rate_and_channels_that_were_told"),
        (ClosesOnce, "closing_the_engine_ends_its_streams_or_lets_them_end"),
        (Keeping, "many_streams_leave_nothing_behind"),
        (Credulous, "snapshots_that_cannot_be_used_are_refused"),
    ],
)
def test_the_rule_that_an_engine_breaks_is_told(engine, rule):
    with pytest.raises((Exception, pytest.fail.Exception)):
        run(contract_of(engine), "test_" + rule, engine)


def test_an_engine_without_a_fault_breaks_none():
    contract, skipped = contract_of(Noise), []
    for test in [name for name in dir(contract) if name.startswith("test_")]:
        try:
            run(contract, test, Noise)
        except pytest.skip.Exception:
            skipped.append(test)
    assert skipped == []
