"""Real sounds through librosa, alone and by an import."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from foryou.audio_vectors import NUM_COEFFICIENTS, audio_vector
from foryou.content_import import read_uploads
from foryou.media_files import MediaError

RATE = 22_050


def tone(path: Path, hertz: float, seconds: float = 0.5) -> Path:
    moments = np.arange(int(RATE * seconds)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * hertz * moments), RATE)
    return path


def test_sounds_that_are_alike_have_vectors_that_are(tmp_path: Path) -> None:
    low, lower, high = (
        audio_vector(tone(tmp_path / f"{hertz}.wav", hertz)) for hertz in (220.0, 233.0, 3_000.0)
    )
    assert low.shape == (2 * NUM_COEFFICIENTS,)
    assert np.linalg.norm(low - lower) < np.linalg.norm(low - high) / 2


def test_what_is_no_sound_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    with pytest.raises(MediaError, match=r"broken\.wav"):
        audio_vector(tmp_path / "broken.wav")


def test_an_import_takes_vectors_and_makes_those_of_files_beside_the_table(tmp_path: Path) -> None:
    tone(tmp_path / "song.wav", 440)
    (tmp_path / "contents.ndjson").write_text(
        '{"content_id": "a", "creator_id": "x", "visual_features": [1.0, 2.0], "audio_path": "song.wav"}\n'
        '{"content_id": "b", "creator_id": "x"}\n'
    )
    first, second = read_uploads(tmp_path / "contents.ndjson")
    assert first["metadata"]["visual_features"] == (1.0, 2.0)
    expected = audio_vector(tmp_path / "song.wav")
    np.testing.assert_allclose(first["metadata"]["audio_features"], expected, atol=1e-5)
    assert second["metadata"].get("audio_features", ()) == ()
