"""Mastering: loudness metering (BS.1770), true peak, level control and limiting."""

from .loudness import LoudnessMeter, loudness_lufs, short_term_lufs
from .master import CEILING_DBTP, TARGET_LUFS, Master, check_levels, master
from .peaks import true_peak_dbtp

__all__ = [
    "CEILING_DBTP",
    "TARGET_LUFS",
    "LoudnessMeter",
    "Master",
    "check_levels",
    "loudness_lufs",
    "master",
    "short_term_lufs",
    "true_peak_dbtp",
]
