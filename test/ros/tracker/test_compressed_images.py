"""Compressed image messages: JPEG and PNG of every kind, and whatever bytes may come."""

import zlib
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError
from etam_ros.ros.image_conversion import (
    compressed_message,
    image_from_compressed,
    image_from_message,
)

MAX_PIXELS = 10_000
FUZZ = settings(max_examples=400, deadline=None, derandomize=True)


def to_8_bit(samples):
    return np.rint(samples * (255 / 65535)).astype(np.uint8)


def encoded(extension, pixels, *parameters):
    done, data = cv2.imencode(extension, pixels, parameters)
    assert done
    return data.tobytes()


def compressed(data, text="jpeg"):
    return CompressedImage(format=text, data=array("B", data))


RNG = np.random.default_rng(3)
COLOUR = RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (7, 9), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (7, 9), dtype=np.uint16)
DEEP_COLOUR = RNG.integers(0, 65536, (7, 9, 3), dtype=np.uint16)
ALPHA = RNG.integers(0, 256, (7, 9, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    ("bgr", "expected"),
    [
        (COLOUR, COLOUR[..., ::-1]),
        (GREY, GREY[..., None].repeat(3, axis=2)),
        (DEEP, to_8_bit(DEEP)[..., None].repeat(3, axis=2)),
        (DEEP_COLOUR, to_8_bit(DEEP_COLOUR)[..., ::-1]),
        (ALPHA, ALPHA[..., 2::-1]),
    ],
)
@pytest.mark.parametrize("text", ["png", "rgb8; png compressed bgr8", "", "jpeg"])
def test_png(bgr, expected, text):
    image = image_from_compressed(compressed(encoded(".png", bgr), text), max_pixels=63)
    np.testing.assert_array_equal(image, expected)


def test_png_of_a_bayer_mosaic_is_filled_in():
    message = compressed(encoded(".png", GREY), "bayer_grbg8; png compressed ")
    raw = Image(encoding="bayer_grbg8", width=9, height=7, step=9, data=array("B", GREY.tobytes()))
    np.testing.assert_array_equal(
        image_from_compressed(message, max_pixels=63), image_from_message(raw, max_pixels=63)
    )


@pytest.mark.parametrize("progressive", [0, 1])
def test_jpeg(progressive):
    flat = np.zeros((40, 60, 3), np.uint8)
    flat[:, :30] = (200, 30, 60)  # blue, green, red
    data = encoded(".jpg", flat, cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    image = image_from_compressed(compressed(data), max_pixels=2400)
    assert np.abs(image[:, ::59].astype(int) - flat[:, ::59, ::-1]).max() < 6
    grey = image_from_compressed(compressed(encoded(".jpg", flat[..., 0])), max_pixels=2400)
    assert grey.shape == (40, 60, 3)
    assert np.ptp(grey, axis=2).max() == 0


def test_jpeg_round_trip():
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[:, None, None], (1, 50, 3))
    ramp[..., 2] = 90
    header = Header(frame_id="camera")
    message = compressed_message(ramp, header, jpeg_quality=95)
    assert message.header.frame_id == "camera"
    assert message.format == "rgb8; jpeg compressed bgr8"
    image = image_from_compressed(message, max_pixels=60 * 50)
    assert np.abs(image.astype(int) - ramp).max() < 8


def exif_jpeg(orientation, pixels):
    """A JPEG that asks to be turned when it is shown."""
    tiff = (
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    )
    segment = b"Exif\0\0" + tiff
    plain = encoded(".jpg", pixels)
    return plain[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + plain[2:]


def test_exif_orientation_does_not_turn_a_camera_image():
    image = image_from_compressed(compressed(exif_jpeg(6, COLOUR)), max_pixels=63)
    assert image.shape == (7, 9, 3)


def chunk(kind, body):
    checked = kind + body
    return len(body).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")


def png_bomb(width, height, pixels=bytes(100_000), kind=(8, 2, 0, 0, 0)):
    """A PNG of a few hundred bytes that claims any size."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + bytes(kind))
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def with_jpeg_size(data, width, height):
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + height.to_bytes(2, "big") + width.to_bytes(2, "big") + data[at + 4 :]


PNG, JPEG = encoded(".png", COLOUR), encoded(".jpg", COLOUR)


@pytest.mark.parametrize(
    ("data", "text", "received", "expected"),
    [
        (b"", "jpeg", "nothing", "JPEG or PNG"),
        (b"hello, world", "jpeg", "68 65 6c 6c", "JPEG or PNG"),
        (encoded(".bmp", COLOUR), "bmp", "42 4d", "JPEG or PNG"),
        (PNG, "16UC1; compressedDepth png", "compressedDepth", "colour"),
        (PNG[:-20], "png", "no end", "whole file"),
        (PNG[:-12], "png", "no end", "whole file"),
        (PNG[:20], "png", "no end", "whole file"),
        (PNG[:8] + PNG[33:], "png", "no IHDR", "whole file"),
        (PNG[:45] + bytes(40) + PNG[85:], "png", "wrong checksum at byte 33", "whole file"),
        (PNG[:33] + b"\xf7" + PNG[34:], "png", "no end", "whole file"),  # gigabytes of IDAT
        (png_bomb(9, 7, b"no pixels"), "png", "cannot be decoded", "whole file"),
        (JPEG[:-2], "jpeg", "no end marker", "whole file"),
        (JPEG[: len(JPEG) // 3], "jpeg", "", "whole file"),
        (JPEG[:3], "jpeg", "no frame header", "whole file"),
        (JPEG[:2] + b"\xff\xd9", "jpeg", "no frame header", "whole file"),
        (with_jpeg_size(JPEG, 0, 7), "jpeg", "0x7", "1x1"),
        (with_jpeg_size(JPEG, 65535, 65535), "jpeg", "65535x65535", "10000"),
        (png_bomb(0, 1), "png", "0x1", "1x1"),
        (png_bomb(2**31 - 1, 2**31 - 1), "png", "2147483647x2147483647", "10000"),
        (png_bomb(101, 100), "png", "101x100", "10000"),
    ],
)
def test_malformed_compressed_messages_are_refused_with_words(data, text, received, expected):
    with pytest.raises(ImageError) as refusal:
        image_from_compressed(compressed(data, text), max_pixels=MAX_PIXELS)
    line = str(refusal.value)
    assert "\n" not in line
    assert received in line.partition("expected")[0]
    assert expected in line.partition("expected")[2]


def assert_picture_or_one_line(message):
    line = "a picture"
    try:
        image = image_from_compressed(message, max_pixels=MAX_PIXELS)
        height, width, _ = image.shape
    except ImageError as refusal:
        line, height, width = str(refusal), 1, 1
    assert 0 < height * width <= MAX_PIXELS
    assert 0 < len(line) < 1000
    assert "\n" not in line


@given(
    start=st.sampled_from([b"", PNG[:8], PNG[:16], JPEG[:3], JPEG[:20]]),
    data=st.binary(max_size=200),
    text=st.text(max_size=30),
)
@example(b"", b"\xff\xd8\xff" + b"\xff" * 1000, "jpeg")
@example(b"", b"\xff\xd8\xff\xc0\x00\x00", "jpeg")
@FUZZ
def test_any_compressed_bytes_are_a_picture_or_one_line(start, data, text):
    assert_picture_or_one_line(compressed(start + data, text))


@given(
    whole=st.sampled_from([PNG, JPEG, encoded(".png", DEEP), encoded(".jpg", GREY)]),
    cut=st.integers(0, 600),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=6),
    tail=st.binary(max_size=8),
)
@FUZZ
def test_any_damage_gives_a_picture_or_one_line(whole, cut, changes, tail):
    data = bytearray(whole[: len(whole) - cut] if cut < 300 else whole)
    for position, value in changes:
        if data:
            data[position % len(data)] = value
    assert_picture_or_one_line(compressed(bytes(data) + tail))


@given(
    pixels=st.binary(max_size=300),
    size=st.integers(1, 6),
    kind=st.tuples(
        st.sampled_from([1, 2, 4, 8, 16, 3]),
        st.integers(0, 7),
        st.integers(0, 1),
        st.integers(0, 1),
        st.integers(0, 2),
    ),
)
@FUZZ
def test_any_content_of_a_whole_png_gives_a_picture_or_one_line(pixels, size, kind):
    assert_picture_or_one_line(compressed(png_bomb(size, size, pixels, kind)))


def test_a_picture_that_cannot_become_a_jpeg_is_refused():
    for pixels in (np.zeros((1, 70_000, 3), np.uint8), DEEP, np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ImageError, match="cannot be encoded as JPEG"):
            compressed_message(pixels, Header(), jpeg_quality=80)
