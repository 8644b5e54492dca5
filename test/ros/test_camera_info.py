"""Calibration files: as camera_calibration writes them, and damaged ones."""

import pytest

from etam_ros.errors import ConfigError
from etam_ros.ros.camera_info import camera_info_from_file

WHOLE = """
image_width: 640
image_height: 480
camera_name: left
camera_matrix:
  rows: 3
  cols: 3
  data: [500.5, 0.0, 320.0, 0.0, 501.0, 240.0, 0.0, 0.0, 1.0]
distortion_model: rational_polynomial
distortion_coefficients:
  rows: 1
  cols: 8
  data: [1, 2, 3, 4, 5, 6, 7, 8]
rectification_matrix:
  rows: 3
  cols: 3
  data: [0, 1, 0, 1, 0, 0, 0, 0, 1]
projection_matrix:
  rows: 3
  cols: 4
  data: [400, 0, 300, -40, 0, 400, 200, 0, 0, 0, 1, 0]
"""


def test_a_whole_file(tmp_path):
    path = tmp_path / "camera.yaml"
    path.write_text(WHOLE)
    info = camera_info_from_file(path)
    assert (info.width, info.height) == (640, 480)
    assert info.distortion_model == "rational_polynomial"
    assert list(info.k) == [500.5, 0, 320, 0, 501, 240, 0, 0, 1]
    assert list(info.d) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert list(info.r) == [0, 1, 0, 1, 0, 0, 0, 0, 1]
    assert list(info.p) == [400, 0, 300, -40, 0, 400, 200, 0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (WHOLE, "", "holds NoneType"),
        (WHOLE, "just words", "holds str"),
        (WHOLE, "a: [1", "cannot be read"),
        (WHOLE, "\x00", "cannot be read"),
        ("image_width: 640", "", "image_width None"),
        ("image_width: 640", "image_width: -3", "image_width -3"),
        ("image_height: 480", "image_height: tall", "image_height 'tall'"),
        ("500.5, ", "", "no usable camera_matrix, expected data of 9 numbers"),
        ("500.5", "wide", "no usable camera_matrix"),
        ("camera_matrix", "matrix", "no usable camera_matrix"),
        ("400, 0, 300", "0", "no usable projection_matrix, expected data of 12 numbers"),
        ("[1, 2, 3, 4, 5, 6, 7, 8]", "none", "no usable distortion_coefficients"),
    ],
)
def test_what_is_missing_is_named_in_one_line(tmp_path, old, new, words):
    path = tmp_path / "camera.yaml"
    path.write_text(WHOLE.replace(old, new))
    with pytest.raises(ConfigError) as refusal:
        camera_info_from_file(path)
    assert words in str(refusal.value)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        camera_info_from_file(tmp_path / "missing.yaml")
