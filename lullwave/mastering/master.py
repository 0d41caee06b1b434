"""Masters music to broadcast level: high-pass, level control, true-peak limiter.

``Master`` works block by block on endless music, ``master`` on a whole clip in several passes. Both process quanta of
a fixed length, so that the samples do not depend on the sizes of the blocks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ..audio import Audio, Samples
from ..errors import InvalidInput, SnapshotError
from ..storage.packing import Arrays, pack_arrays, unpack_arrays
from .biquads import F64, QUANTUM, Biquads, high_pass
from .level import MAX_BOOST_DB, MAX_CUT_DB, LevelControl
from .limiter import Limiter
from .loudness import SILENCE_LUFS, channel_weights, k_weighting, loudness_lufs

TARGET_LUFS = -15.0  # integrated loudness
CEILING_DBTP = -1.0  # true peak: room for the overshoot of lossy codecs
SUBSONIC_HZ = 28.0  # corner of the high-pass: below it there is no music, only load on the loudspeakers
_VERSION = 2  # of the saved state
_TOLERANCE_LU = 0.05  # a clip this close to its target needs no further pass
_RAMP = np.arange(1, QUANTUM + 1) / QUANTUM
_PASSES = 6  # at most, to make up for the loudness that the limiter takes


class Master:
    """Masters endless music block by block. ``process`` returns as many frames as it gets; ``flush`` returns the rest.

    Frame n of the output is frame ``n - latency_frames`` of the input; the first ``latency_frames`` are silence. One
    thread.
    """

    def __init__(
        self, rate: int, channels: int, target_lufs: float = TARGET_LUFS, ceiling_dbtp: float = CEILING_DBTP
    ) -> None:
        check_levels(target_lufs, ceiling_dbtp)
        self.rate, self.channels = rate, channels
        self._weights = channel_weights(channels)
        self._subsonic = Biquads([high_pass(SUBSONIC_HZ, 1 / math.sqrt(2), rate)], channels)
        self._ear = Biquads(k_weighting(rate), channels, single=True)  # for its power alone
        self._level = LevelControl(target_lufs, QUANTUM / rate)
        self._limiter = Limiter(rate, channels, ceiling_dbtp)
        self.latency_frames = QUANTUM + self._limiter.delay_frames
        self._late = np.zeros((channels, self._limiter.delay_frames), np.float32)  # K-weighted, not yet returned
        self._waiting: Samples = np.zeros((0, channels), np.float32)
        self._ready: Samples = np.zeros((QUANTUM, channels), np.float32)

    @property
    def gain_db(self) -> float:
        """The gain of the level control now, in dB."""
        return self._level.gain_db

    def level(self) -> Mapping[str, F64]:
        """The state of the level control alone, for ``set_level`` of a master that goes on with the same music."""
        return self._level.arrays()

    def set_level(self, level: Mapping[str, F64]) -> None:
        """Take over the loudness that another master has measured, and its gain."""
        self._level.restore(level)

    def process(self, audio: Audio) -> Audio:
        """Master the next frames: (T, C) in, (T, C) out."""
        audio.check_shape(self.rate, self.channels)
        samples = np.concatenate([self._waiting, audio.samples])
        whole = len(samples) // QUANTUM * QUANTUM
        made = [self._quantum(samples[start : start + QUANTUM]) for start in range(0, whole, QUANTUM)]
        self._waiting = samples[whole:].copy()
        ready = np.concatenate([self._ready, *made])
        self._ready = ready[audio.frames :].copy()
        return Audio(ready[: audio.frames], self.rate)

    def flush(self) -> Audio:
        """The last ``latency_frames`` frames. Feed nothing after it."""
        return self.process(Audio.silence(self.latency_frames, self.rate, self.channels))

    def state(self) -> bytes:
        """The state that ``restore`` continues from with the same samples; some tens of kilobytes."""
        return pack_arrays(self.arrays())

    def arrays(self) -> Arrays:
        """The same state for ``take_over``: arrays that are never written to."""
        arrays: Arrays = {
            "shape": np.array([_VERSION, self.rate, self.channels]),
            "waiting": self._waiting,
            "ready": self._ready,
            "subsonic": self._subsonic.state,
            "ear": self._ear.state,
            "late": self._late,
        }
        arrays |= {f"level_{k}": np.asarray(v) for k, v in self._level.arrays().items()}
        arrays |= {f"limiter_{k}": np.asarray(v) for k, v in self._limiter.arrays().items()}
        return arrays

    def restore(self, state: bytes) -> None:
        """Continue from the state of a master of the same rate and channels.

        Raises:
            SnapshotError: the state is damaged or of another version, rate or number of channels.
        """
        try:
            arrays = unpack_arrays(state)
        except Exception as error:  # a damaged archive can fail in any way
            raise SnapshotError(f"not the state of a master: {error}") from error
        self.take_over(arrays)

    def take_over(self, arrays: Arrays) -> None:
        """Continue from the arrays of a master of the same rate and channels.

        Raises:
            SnapshotError: they are of another version, rate or number of channels.
        """
        try:
            shape = tuple(int(n) for n in arrays["shape"])
        except (LookupError, TypeError, ValueError) as error:
            raise SnapshotError(f"not the state of a master: {error!r}") from error
        if shape != (_VERSION, self.rate, self.channels):
            raise SnapshotError(
                f"state of (version, rate, channels) {shape}, not {(_VERSION, self.rate, self.channels)}"
            )
        self._waiting, self._ready = arrays["waiting"], arrays["ready"]
        self._subsonic.state, self._ear.state = arrays["subsonic"], arrays["ear"]
        self._late = arrays.get("late", np.zeros_like(self._late))  # absent from states before 0.2.0
        self._level.restore({k.removeprefix("level_"): v for k, v in arrays.items() if k.startswith("level_")})
        self._limiter.restore({k.removeprefix("limiter_"): v for k, v in arrays.items() if k.startswith("limiter_")})

    def _quantum(self, samples: Samples) -> Samples:
        clean = self._subsonic.process_lines(samples.T.astype(np.float64, order="C"))
        heard = self._ear.process_lines(clean)
        power = float(np.einsum("ct,ct->c", heard, heard) @ self._weights) / QUANTUM
        before = 10.0 ** (self._level.gain_db / 20.0)
        after = 10.0 ** (self._level.next_gain_db(power) / 20.0)
        clean *= before + (after - before) * _RAMP
        limited = self._limiter.process(clean.astype(np.float32).T)
        lines = np.concatenate([self._late, heard.astype(np.float32, copy=False)], axis=1)
        self._late = lines[:, QUANTUM:].copy()
        powers = self._weights @ np.square(lines[:, :QUANTUM])
        gains = self._limiter.gains
        whole = float(powers.sum())
        left = whole if gains is None else float(powers.reshape(len(gains), -1).sum(axis=1) @ np.square(gains))
        self._level.note_limited(whole, left)
        return limited


def master(audio: Audio, target_lufs: float = TARGET_LUFS, ceiling_dbtp: float = CEILING_DBTP) -> Audio:
    """Master a whole clip with a single gain, found by measuring the result; the length stays the same.

    Silence stays silence. Music that cannot reach the target (the boost is at most 24 dB) gets as close as possible.

    Raises:
        InvalidInput: a level is out of range.
    """
    check_levels(target_lufs, ceiling_dbtp)
    subsonic = Biquads([high_pass(SUBSONIC_HZ, 1 / math.sqrt(2), audio.rate)], audio.channels)
    delay = Limiter(audio.rate, audio.channels, ceiling_dbtp).delay_frames
    total = -(-(audio.frames + delay) // QUANTUM) * QUANTUM
    clean = np.zeros((total, audio.channels), np.float32)
    clean[: audio.frames] = audio.samples
    for start in range(0, total, QUANTUM):
        clean[start : start + QUANTUM] = subsonic.process(clean[start : start + QUANTUM].astype(np.float64))
    clean[audio.frames :] = 0.0
    loudness = loudness_lufs(Audio(clean[: audio.frames], audio.rate))
    if loudness <= SILENCE_LUFS:
        return Audio(clean[: audio.frames], audio.rate)
    gain_db = target_lufs - loudness
    for _ in range(_PASSES):
        gain_db = min(MAX_BOOST_DB, max(-MAX_CUT_DB, gain_db))
        limiter = Limiter(audio.rate, audio.channels, ceiling_dbtp)
        gain = np.float32(10.0 ** (gain_db / 20.0))
        made = [limiter.process(clean[start : start + QUANTUM] * gain) for start in range(0, total, QUANTUM)]
        result = Audio(np.concatenate(made)[delay : delay + audio.frames], audio.rate)
        error = target_lufs - loudness_lufs(result)
        if abs(error) <= _TOLERANCE_LU:
            break
        gain_db += error
    return result


def check_levels(target_lufs: float = TARGET_LUFS, ceiling_dbtp: float = CEILING_DBTP) -> None:
    """Check that music can be mastered to these levels.

    Raises:
        InvalidInput: a level is out of range.
    """
    if not -40.0 <= target_lufs <= -8.0:
        raise InvalidInput("target_lufs", target_lufs, "a loudness from -40 to -8 LUFS")
    if not -12.0 <= ceiling_dbtp <= 0.0:
        raise InvalidInput("ceiling_dbtp", ceiling_dbtp, "a true peak from -12 to 0 dB of full scale")
