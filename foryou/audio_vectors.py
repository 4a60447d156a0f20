"""Sounds to vectors by mel-frequency cepstral coefficients (specification, 3.2). Needs the extra `media`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from foryou.media_files import MediaError, missing_extra
from messages.arrays import FloatArray

NUM_COEFFICIENTS = 40
MAX_SECONDS = 60.0
"""Of a sound that are listened to: the beginning tells what it is."""


def audio_vector(path: Path) -> FloatArray:
    """Return the vector of a sound file, float32 [80]. Raises MediaError."""
    try:
        import librosa
    except ImportError as error:
        raise missing_extra("sounds", error) from error
    try:
        samples, rate = librosa.load(path, duration=MAX_SECONDS)
    except Exception as error:  # each of its decoders raises errors of its own
        raise MediaError(f"{path}: {error or type(error).__name__}") from error
    if not len(samples):
        raise MediaError(f"{path}: holds no sound")
    return summary_of(librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=NUM_COEFFICIENTS))


def summary_of(coefficients: FloatArray) -> FloatArray:
    """Return mean and deviation over time, float32 [2 c]. coefficients: [c, t].

    On a scale of signed logarithms: the first coefficients are a hundred times the last, and would be all
    that the angle between two sounds is made of.
    """
    numbers = np.concatenate([coefficients.mean(axis=1), coefficients.std(axis=1)]).astype(np.float64)
    summary: FloatArray = (np.sign(numbers) * np.log1p(np.abs(numbers))).astype(np.float32)
    return summary
