"""Pictures to vectors with a network that is known, and what an import makes of files and vectors."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foryou.audio_vectors import summary_of
from foryou.content_import import ContentFileError, read_uploads
from foryou.media_files import MediaError, MediaVectors
from foryou.visual_vectors import IMAGE_SIZE, network_input, visual_vector


def picture(path: Path, color: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Path:
    Image.new("RGB", size, color).save(path)
    return path


def mean_colors(pictures: np.ndarray) -> np.ndarray:
    """A network that is no more than the mean of each channel."""
    assert pictures.shape[1:] == (3, IMAGE_SIZE, IMAGE_SIZE)
    assert pictures.dtype == np.float32
    return pictures.mean(axis=(2, 3))


def test_pixels_are_scaled_as_the_network_was_trained() -> None:
    pixels = np.zeros((IMAGE_SIZE, IMAGE_SIZE, 3), dtype=np.uint8)
    pixels[..., 1] = 255
    laid_out = network_input(pixels)
    assert laid_out.shape == (3, IMAGE_SIZE, IMAGE_SIZE)
    assert laid_out[:, 0, 0].tolist() == pytest.approx([-0.485 / 0.229, (1 - 0.456) / 0.224, -0.406 / 0.225])


def test_a_picture_of_any_size_becomes_one_vector(tmp_path: Path) -> None:
    vector = visual_vector(picture(tmp_path / "red.png", (255, 0, 0), (31, 500)), mean_colors)
    assert vector.tolist() == pytest.approx([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], rel=1e-5)


def test_frames_count_alike_and_their_number_does_not(tmp_path: Path) -> None:
    for number in range(20):
        picture(tmp_path / f"{number:02}.jpg", (0, 0, 255) if number % 2 else (255, 0, 0))
    (tmp_path / "notes.txt").write_text("no picture")
    one = [visual_vector(tmp_path / f"{number:02}.jpg", mean_colors) for number in (0, 1)]
    np.testing.assert_allclose(visual_vector(tmp_path, mean_colors), np.mean(one, axis=0), atol=1e-5)


def test_a_folder_without_pictures_and_a_broken_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no pictures"):
        visual_vector(tmp_path, mean_colors)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"broken\.png"):
        visual_vector(tmp_path / "broken.png", mean_colors)


def test_a_summary_is_mean_and_deviation_on_a_scale_of_logarithms() -> None:
    coefficients = np.array([[-100.0, -300.0], [3.0, 3.0]])
    assert summary_of(coefficients).tolist() == pytest.approx(
        [-np.log1p(200), np.log1p(3), np.log1p(100), 0], rel=1e-6
    )


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    read = []

    def encode(path: Path) -> np.ndarray:
        read.append(path)
        return np.array([0.1234567, 2.0], dtype=np.float32)

    (tmp_path / "a.wav").touch()
    media = MediaVectors(tmp_path, {"audio_path": encode})
    for _ in range(2):
        assert media.of_row({"audio_path": "a.wav"}) == {"audio_features": [0.12346, 2.0]}
    assert media.of_row({"audio_path": None}) == {}
    assert read == [tmp_path / "a.wav"]


def test_a_file_that_is_not_there_is_named_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "contents.csv").write_text("content_id,creator_id,audio_path\na,x,\nb,x,missing.wav\n")
    with pytest.raises(ContentFileError, match=r"row 2: .*missing\.wav"):
        read_uploads(tmp_path / "contents.csv")
