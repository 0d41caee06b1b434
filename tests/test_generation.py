"""``lullwave.generate``: its errors name its own parameters, and the file goes where it was asked for."""

import re

import pytest

import lullwave


@pytest.mark.parametrize("seconds", [None, 0, 1e9, float("nan")])
def test_a_wrong_length_is_called_seconds(seconds):
    with pytest.raises(lullwave.InvalidInput, match=r"^seconds: got ") as wrong:
        lullwave.generate("piano", seconds=seconds)
    assert wrong.value.field == "seconds"
    assert "none" not in wrong.value.allowed


def test_a_file_in_a_folder_that_does_not_exist_is_called_by_its_own_name(tmp_path):
    clip = lullwave.generate("piano", seconds=1, seed=1)
    path = tmp_path / "absent" / "a.wav"
    with pytest.raises(FileNotFoundError, match=re.escape(str(path))):
        clip.save(path)
