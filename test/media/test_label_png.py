"""Palette PNGs keep object ids; masks are read from every kind of PNG."""

import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from etam_ros.drawing.palette import palette
from etam_ros.errors import ImageError
from etam_ros.media.label_png import encode_label_png, read_mask_values


def chunks(png):
    """Name and content of each chunk of a PNG file."""
    at, found = 8, {}
    while at < len(png):
        length = int.from_bytes(png[at : at + 4], "big")
        name = png[at + 4 : at + 8].decode()
        found[name] = found.get(name, b"") + png[at + 8 : at + 8 + length]
        at += 12 + length
    return found


@settings(deadline=None)
@given(hnp.arrays(np.uint16, st.tuples(st.integers(1, 40), st.integers(1, 40)),
                  elements=st.integers(0, 255)))  # fmt: skip
def test_ids_come_back_as_they_were(tmp_path_factory, label_image):
    path = tmp_path_factory.mktemp("png") / "a.png"
    path.write_bytes(encode_label_png(label_image))
    assert np.array_equal(read_mask_values(path), label_image)


def test_the_file_is_an_opaque_8_bit_palette_png_in_our_colours():
    png = encode_label_png(np.arange(256, dtype=np.uint16).reshape(16, 16))
    found = chunks(png)
    width, height = (int.from_bytes(found["IHDR"][at : at + 4], "big") for at in (0, 4))
    assert (width, height) == (16, 16)
    assert found["IHDR"][8:10] == bytes([8, 3])  # bits, palette
    assert found["PLTE"] == palette().tobytes()
    assert set(found.get("tRNS", b"\xff")) == {255}


def test_ids_over_255_are_refused():
    label_image = np.full((4, 4), 256, np.uint16)
    with pytest.raises(ImageError, match=r"object id 256 .* up to 255"):
        encode_label_png(label_image)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_masks_give_their_values(tmp_path, dtype):
    mask = np.zeros((20, 30), dtype)
    mask[5:9, 7:20] = np.iinfo(dtype).max - 1
    cv2.imwrite(str(tmp_path / "a.png"), mask)
    assert np.array_equal(read_mask_values(tmp_path / "a.png"), mask)


def test_colour_masks_give_their_strongest_channel_whatever_the_alpha(tmp_path):
    mask = np.zeros((20, 30, 4), np.uint8)
    mask[..., 3] = 255
    mask[5:9, 7:20, 1] = 200
    cv2.imwrite(str(tmp_path / "a.png"), mask)
    values = read_mask_values(tmp_path / "a.png")
    assert np.array_equal(values, mask[..., 1])


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x03" * 40])
def test_files_that_are_no_picture_are_one_line(tmp_path, content):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ImageError, match=r"mask .*a\.png") as caught:
        read_mask_values(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_cut_palette_png_is_one_line_or_whole(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint16)
    png = encode_label_png(noise)
    (tmp_path / "a.png").write_bytes(png[: len(png) // 2])
    with pytest.raises(ImageError, match=r"mask .*a\.png"):
        read_mask_values(tmp_path / "a.png")


def test_a_changed_bit_never_gives_other_ids(tmp_path):
    label_image = np.zeros((60, 80), np.uint16)
    label_image[10:50, 20:60] = 3
    png = encode_label_png(label_image)
    for position in range(len(png)):
        damaged = bytearray(png)
        damaged[position] ^= 4
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(ImageError, match=r"mask .*a\.png"):
            read_mask_values(tmp_path / "a.png")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_small_palettes_give_their_indices(tmp_path, bits):
    indices = np.arange(2**bits, dtype=np.uint8).repeat(7)[None].repeat(3, axis=0)
    picture = Image.fromarray(indices)
    picture.putpalette(palette()[: 2**bits].tobytes())
    picture.save(tmp_path / "a.png", bits=bits)
    assert np.array_equal(read_mask_values(tmp_path / "a.png"), indices)


@pytest.mark.parametrize("colour_type", [0, 3])
def test_a_few_bytes_that_claim_gigapixels_are_one_line(tmp_path, colour_type):
    size = (100_000).to_bytes(4, "big")
    header = size + size + bytes([8, colour_type, 0, 0, 0])
    parts = ((b"IHDR", header), (b"PLTE", bytes(6)), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in parts
    )
    (tmp_path / "a.png").write_bytes(png)
    with pytest.raises(ImageError, match=r"mask .*a\.png") as caught:
        read_mask_values(tmp_path / "a.png")
    assert "\n" not in str(caught.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ImageError, match=r"b\.png cannot be read: No such file"):
        read_mask_values(tmp_path / "b.png")
