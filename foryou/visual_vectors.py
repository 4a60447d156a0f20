"""Pictures to vectors by a pre-trained network (specification, section 3.2). Needs the extra `media`.

A convolutional network without its last layer (ResNet-18: He et al., CVPR 2016) says what a picture shows; a
content's vector is the mean of its frames', so it does not depend on how many were taken.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from foryou.media_files import MediaError, missing_extra
from messages.arrays import AnyArray, FloatArray

Network = Callable[[FloatArray], FloatArray]
"""float32 [n, 3, 224, 224], as `network_input` lays them out, to float32 [n, d]."""

IMAGE_SIZE = 224
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_BATCH = 16
_CHANNEL_MEANS = np.array([0.485, 0.456, 0.406], dtype=np.float32)
_CHANNEL_DEVIATIONS = np.array([0.229, 0.224, 0.225], dtype=np.float32)
"""Of ImageNet, on which the network was trained."""


def load_network(weights: Path | None = None) -> Network:
    """Return ResNet-18 without its last layer, d = 512.

    weights: a state dict of torchvision's ResNet-18, read as tensors alone; None takes torchvision's own,
    downloaded once. Raises MediaError.
    """
    try:
        import torch
        import torchvision.models as models
    except ImportError as error:
        raise missing_extra("pictures", error) from error
    except RuntimeError as error:  # its compiled half does not load
        raise MediaError(f"torchvision is not the build that belongs to this torch: {error}") from error
    try:
        if weights is None:
            network = models.resnet18(weights=models.ResNet18_Weights.DEFAULT)
        else:
            network = models.resnet18(weights=None)
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file breaks its reader in many ways
        raise MediaError(f"weights of the picture network: {error}") from error
    network.fc = torch.nn.Identity()
    network.eval()

    def run(pictures: FloatArray) -> FloatArray:
        with torch.inference_mode():
            vectors: FloatArray = network(torch.from_numpy(pictures)).numpy()
        return vectors

    return run


def network_input(pixels: AnyArray) -> FloatArray:
    """Lay out one picture, uint8 [224, 224, 3] in RGB, as the network takes it, float32 [3, 224, 224]."""
    scaled = (pixels.astype(np.float32) / 255 - _CHANNEL_MEANS) / _CHANNEL_DEVIATIONS
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def visual_vector(path: Path, network: Network) -> FloatArray:
    """Return the vector of a picture, or of a folder of frames, float32 [d]. Raises MediaError."""
    frames = frames_of(path)
    pictures = [network_input(_read_pixels(frame)) for frame in frames]
    batches = [pictures[start : start + _BATCH] for start in range(0, len(pictures), _BATCH)]
    vectors = np.concatenate([network(np.stack(batch)) for batch in batches])
    return vectors.mean(axis=0, dtype=np.float64).astype(np.float32)


def frames_of(path: Path) -> list[Path]:
    """Return the pictures that stand for a content, in the order of their names. Raises MediaError."""
    if not path.is_dir():
        return [path]
    frames = sorted(file for file in path.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not frames:
        raise MediaError(f"{path}: no pictures ({', '.join(_SUFFIXES)}) in this folder")
    return frames


def _read_pixels(path: Path) -> AnyArray:
    """Read a picture, its middle cut out and resized, uint8 [224, 224, 3]."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise missing_extra("pictures", error) from error
    try:
        with Image.open(path) as image:
            square = ImageOps.fit(image.convert("RGB"), (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BILINEAR)
    except (OSError, ValueError) as error:
        raise MediaError(f"{path}: {error}") from error
    return np.asarray(square, dtype=np.uint8)
