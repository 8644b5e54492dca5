"""Image messages against references in plain numpy, and against whatever bytes may come."""

import os
import subprocess
import sys
from array import array

import cv2
import numpy as np
import pytest
from etam_ros.msg import Prompt
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from etam_ros.errors import ImageError, PromptError
from etam_ros.media.image_encodings import ENCODINGS, LAYOUTS
from etam_ros.ros.image_conversion import (
    ReusedImageMessage,
    _heard,
    image_from_compressed,
    image_from_message,
    image_message,
    take_plain_data,
)
from etam_ros.ros.messages import prompt_from_message
from etam_ros.ros.tracker.positions.depth_picture import DepthPicture

MAX_PIXELS = 10_000
QUICK = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FUZZ = settings(QUICK, max_examples=400)

# channels in the bytes -> channels of RGB
ORDERS = {
    "rgb8": (0, 1, 2),
    "bgr8": (2, 1, 0),
    "rgba8": (0, 1, 2),
    "bgra8": (2, 1, 0),
    "mono8": (0, 0, 0),
    "8UC1": (0, 0, 0),
    "8UC3": (2, 1, 0),
    "8UC4": (2, 1, 0),
    "rgb16": (0, 1, 2),
    "bgr16": (2, 1, 0),
    "rgba16": (0, 1, 2),
    "bgra16": (2, 1, 0),
    "mono16": (0, 0, 0),
    "16UC1": (0, 0, 0),
}
CHANNELS = {"rgba8": 4, "bgra8": 4, "8UC4": 4, "rgba16": 4, "bgra16": 4}
PACKED_YUV = {"uyvy": "uyvy", "yuv422": "uyvy", "yuyv": "yuyv", "yuv422_yuy2": "yuyv"}
BAYER = [name for name in ENCODINGS if name.startswith("bayer_")]


def padded_bytes(rows, padding, rng):
    """The rows of an array (rows, bytes) with random bytes behind each."""
    fill = rng.integers(0, 256, (len(rows), padding), dtype=np.uint8)
    return np.concatenate([rows, fill], axis=1).tobytes()


def make_message(encoding, width, height, rows, padding, rng, is_bigendian=0):
    """An Image of `rows` (n, bytes) of data."""
    message = Image(encoding=encoding, width=width, height=height, is_bigendian=is_bigendian)
    message.step = rows.shape[1] + padding
    message.data = array("B", padded_bytes(rows, padding, rng))
    return message


def is_16_bit(encoding):
    return encoding.endswith("16") or encoding.startswith("16")


def sample_rows(samples, encoding, is_bigendian):
    """Samples (rows, ...) as the bytes of their rows."""
    if is_16_bit(encoding):
        samples = samples.astype(">u2" if is_bigendian else "<u2")
    return samples.reshape(len(samples), -1).view(np.uint8)


def to_8_bit(samples):
    """Nearest of v * 255 / 65535, in whole numbers."""
    if samples.dtype == np.uint16:
        return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return samples


def random_samples(shape, encoding, rng):
    kind = np.uint16 if is_16_bit(encoding) else np.uint8
    return rng.integers(0, np.iinfo(kind).max + 1, shape, dtype=kind)


def yuv_to_rgb(luma, blue, red):
    """BT.601, studio range, as in ITU-R BT.601-7: three planes (H, W) to (H, W, 3)."""
    luma = 1.164383 * np.maximum(luma.astype(float) - 16, 0)
    blue, red = blue.astype(float) - 128, red.astype(float) - 128
    rgb = [luma + 1.596027 * red, luma - 0.391762 * blue - 0.812968 * red, luma + 2.017232 * blue]
    return np.clip(np.rint(np.stack(rgb, axis=-1)), 0, 255).astype(np.uint8)


def assert_close(actual, expected):
    """Equal up to the rounding of fixed-point arithmetic."""
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected.astype(int)).max() <= 1


def demosaiced(mosaic, pattern):
    """Bilinear, (H, W) -> (H-2, W-2, 3): the inside, without the border."""
    height, width = mosaic.shape
    values = mosaic.astype(np.uint32)
    rgb = np.zeros((height - 2, width - 2, 3), mosaic.dtype)
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            for channel, letter in enumerate("rgb"):
                near = [
                    values[y + dy, x + dx]
                    for dy in (-1, 0, 1)
                    for dx in (-1, 0, 1)
                    if pattern[2 * ((y + dy) % 2) + (x + dx) % 2] == letter
                ]
                if pattern[2 * (y % 2) + x % 2] == letter:
                    near = [values[y, x]]
                rgb[y - 1, x - 1, channel] = (sum(near) + len(near) // 2) // len(near)
    return rgb


geometry = given(
    width=st.integers(1, 20),
    height=st.integers(1, 12),
    padding=st.integers(0, 7),
    is_bigendian=st.integers(0, 1),
    seed=st.integers(0, 1000),
)


@pytest.mark.parametrize("use_cv_bridge", [True, False])
@pytest.mark.parametrize("encoding", ORDERS)
@geometry
@QUICK
def test_colours_and_greys(encoding, use_cv_bridge, width, height, padding, is_bigendian, seed):
    rng = np.random.default_rng(seed)
    order = ORDERS[encoding]
    channels = CHANNELS.get(encoding, max(order) + 1)
    samples = random_samples((height, width, channels), encoding, rng)
    rows = sample_rows(samples, encoding, is_bigendian)
    message = make_message(encoding, width, height, rows, padding, rng, is_bigendian)
    image = image_from_message(message, max_pixels=MAX_PIXELS, use_cv_bridge=use_cv_bridge)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, to_8_bit(samples[..., order]))


def test_every_sixteen_bit_grey_becomes_the_nearest_of_eight():
    samples = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    message = image_message(samples, "16UC1", Header())
    image = image_from_message(message, max_pixels=65536)
    np.testing.assert_array_equal(image[..., 0], np.rint(samples * (255 / 65535)))
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("encoding", PACKED_YUV)
@geometry
@QUICK
def test_packed_yuv(encoding, width, height, padding, is_bigendian, seed):
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 256, (height, 2 * width), dtype=np.uint8)
    blue, red = rng.integers(0, 256, (2, height, width), dtype=np.uint8)
    planes = {"u": blue, "v": red}
    columns = [luma[:, ::2], luma[:, 1::2]]
    parts = [columns.pop(0) if c == "y" else planes[c] for c in PACKED_YUV[encoding]]
    rows = np.stack(parts, axis=-1).reshape(height, -1)
    message = make_message(encoding, 2 * width, height, rows, padding, rng, is_bigendian)
    image = image_from_message(message, max_pixels=MAX_PIXELS)
    assert_close(image, yuv_to_rgb(luma, blue.repeat(2, axis=1), red.repeat(2, axis=1)))


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@geometry
@QUICK
def test_half_size_chroma_plane(encoding, width, height, padding, is_bigendian, seed):
    rng = np.random.default_rng(seed)
    luma = rng.integers(0, 256, (2 * height, 2 * width), dtype=np.uint8)
    blue, red = rng.integers(0, 256, (2, height, width), dtype=np.uint8)
    pair = (blue, red) if encoding == "nv12" else (red, blue)
    rows = np.concatenate([luma, np.stack(pair, axis=-1).reshape(height, -1)])
    message = make_message(encoding, 2 * width, 2 * height, rows, padding, rng, is_bigendian)
    image = image_from_message(message, max_pixels=MAX_PIXELS)
    full = [plane.repeat(2, axis=0).repeat(2, axis=1) for plane in (blue, red)]
    assert_close(image, yuv_to_rgb(luma, *full))


@geometry
@QUICK
def test_full_size_chroma_plane(width, height, padding, is_bigendian, seed):
    rng = np.random.default_rng(seed)
    luma, blue, red = rng.integers(0, 256, (3, height, width), dtype=np.uint8)
    chroma = np.stack([blue, red], axis=-1).reshape(height, -1)
    message = make_message("nv24", width, height, luma, padding, rng, is_bigendian)
    message.data.frombytes(padded_bytes(chroma, 2 * padding, rng))
    image = image_from_message(message, max_pixels=MAX_PIXELS)
    assert_close(image, yuv_to_rgb(luma, blue, red))


@pytest.mark.parametrize("use_cv_bridge", [True, False])
@pytest.mark.parametrize("encoding", BAYER)
@geometry
@settings(QUICK, max_examples=8)
def test_bayer(encoding, use_cv_bridge, width, height, padding, is_bigendian, seed):
    rng = np.random.default_rng(seed)
    mosaic = random_samples((height + 2, width + 2), encoding, rng)
    rows = sample_rows(mosaic, encoding, is_bigendian)
    message = make_message(encoding, width + 2, height + 2, rows, padding, rng, is_bigendian)
    image = image_from_message(message, max_pixels=MAX_PIXELS, use_cv_bridge=use_cv_bridge)
    assert image.shape == (height + 2, width + 2, 3)
    pattern = encoding.removeprefix("bayer_").rstrip("168")
    assert_close(image[1:-1, 1:-1], to_8_bit(demosaiced(mosaic, pattern)))


def test_same_pixels_as_cv_bridge():
    bridge = pytest.importorskip("cv_bridge").CvBridge()
    rng = np.random.default_rng(7)
    for encoding in (name for name, layout in LAYOUTS.items() if layout.in_cv_bridge):
        message = Image(encoding=encoding, width=32, height=24, step=32 * 8 + 8)
        message.data = array("B", rng.bytes(24 * message.step))
        ours = image_from_message(message, max_pixels=MAX_PIXELS, use_cv_bridge=False)
        theirs = bridge.imgmsg_to_cv2(message, desired_encoding="rgb8")
        np.testing.assert_array_equal(ours, theirs, err_msg=encoding)


@pytest.mark.parametrize(
    ("file", "failure"),
    [
        ("__init__.py", "raise ImportError('numpy.core.multiarray failed to import')"),
        ("__init__.py", "raise AttributeError('_ARRAY_API not found')"),
        ("boost/__init__.py", "raise SystemError('built for another NumPy')"),
    ],
)
def test_a_cv_bridge_that_cannot_be_imported_is_not_used(tmp_path, file, failure):
    package = tmp_path / "cv_bridge"
    (package / "boost").mkdir(parents=True)
    (package / "__init__.py").write_text("class CvBridge: pass\n")
    (package / "boost" / "__init__.py").write_text("")
    (package / file).write_text(failure)
    program = (
        "from array import array; from sensor_msgs.msg import Image\n"
        "from etam_ros.ros.image_conversion import image_from_message\n"
        "message = Image(encoding='bgr8', width=1, height=1, step=3, data=array('B', [1, 2, 3]))\n"
        "print(image_from_message(message, max_pixels=1).tolist())\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[[[3, 2, 1]]]\n"


class DeviceBuffer:
    """As rosidl_buffer hands it to Python: bytes on request, and no memory to look at.

    Args:
        data: its bytes; None where the device does not give them.
        kind: of the memory.
    """

    def __init__(self, data, kind="cuda"):
        self._data, self.backend_type = data, kind

    def __len__(self):
        return len(self._data or b"")

    def to_bytes(self):
        if self._data is None:
            raise RuntimeError("no CPU\nimplementation")
        return self._data


@pytest.mark.parametrize("kind", [Image, CompressedImage])
def test_data_on_a_device_is_taken_where_it_gives_its_bytes(kind):
    message = kind()
    message._data = DeviceBuffer(b"\x01\x02\x03")
    take_plain_data(message)
    assert message.data == array("B", [1, 2, 3])
    plain = message.data
    take_plain_data(message)
    assert message.data is plain, "what can be read is left where it is"


@pytest.mark.parametrize("data", [DeviceBuffer(None), 7.0, None, "text"])
def test_data_that_gives_no_bytes_is_refused_in_one_line(data):
    message = Image(height=1, width=1, encoding="mono8", step=1)
    message._data = data
    with pytest.raises(ImageError, match="expected an array of bytes") as refusal:
        take_plain_data(message)
    assert "\n" not in str(refusal.value)


def test_a_mask_and_depth_on_a_device_are_taken_too():
    mask = Image(height=1, width=3, encoding="mono8", step=3)
    mask._data = DeviceBuffer(b"\x00\x01\x00")
    prompt = prompt_from_message(Prompt(mask=mask))
    np.testing.assert_array_equal(prompt.mask, [[False, True, False]])
    broken = Image(height=1, width=3, encoding="mono8", step=3)
    broken._data = DeviceBuffer(None, "npu")
    with pytest.raises(PromptError, match="'npu'"):
        prompt_from_message(Prompt(mask=broken))
    depth = Image(height=1, width=2, encoding="16UC1", step=4)
    depth._data = DeviceBuffer(b"\xe8\x03\xd0\x07")
    metres = DepthPicture(depth, (1, 2), "").read(np.array([0]), np.array([0, 1]))
    np.testing.assert_array_equal(metres, [[1.0, 2.0]])


def jpeg(seed):
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.integers(0, 256, (31, 41, 3)), np.ones((16, 16, 1)))[:480, :640]
    pixels = np.clip(blocks + rng.normal(0, 4, blocks.shape), 0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def compressed(data):
    return CompressedImage(format="jpeg", data=array("B", data))


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_half_a_jpeg_with_the_end_of_an_older_one_is_torn(capfd, share):
    new, old = jpeg(1), jpeg(2)
    cut = int(share * len(new))
    for torn in (new[:cut] + old[-1000:], new[: len(new) // 5] + old[len(new) // 5 :]):
        with pytest.raises(ImageError, match="is damaged") as refusal:
            image_from_compressed(compressed(torn), max_pixels=10**6)
        assert "\n" not in str(refusal.value)
    assert capfd.readouterr().err == "", "libjpeg's own lines pass by our logger"


def test_a_jpeg_that_was_filled_up_is_read_with_a_remark(capfd):
    whole, remarks = jpeg(1), []
    filled_up = whole[:-2] + bytes(16) + whole[-2:]
    read = image_from_compressed(compressed(filled_up), max_pixels=10**6, remark=remarks.append)
    np.testing.assert_array_equal(
        read, image_from_compressed(compressed(whole), max_pixels=10**6, remark=remarks.append)
    )
    (remark,) = remarks
    assert "extraneous bytes before marker" in remark
    assert capfd.readouterr().err == ""


def test_what_others_say_meanwhile_still_comes_out(capfd):
    with _heard() as said:
        os.write(2, b"[INFO] somebody else\nCorrupt JPEG data: premature end of data segment\n")
    assert said == ["Corrupt JPEG data: premature end of data segment"]
    assert capfd.readouterr().err == "[INFO] somebody else\n"


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_greys_of_fewer_bits_fill_the_range_once_that_is_told(bits):
    greys = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    raw = Image(height=64, width=64, encoding="mono16", step=128)
    raw.data = array("B", greys.tobytes())
    png = CompressedImage(format="mono16; png compressed ")
    png.data = array("B", cv2.imencode(".png", greys)[1].tobytes())
    for read, message in ((image_from_message, raw), (image_from_compressed, png)):
        image = read(message, max_pixels=10**6, bits=bits)
        assert (image.min(), image.max()) == (0, 255)
        expected = greys * (255.0 / (2**bits - 1))
        assert np.abs(image[..., 0] - expected).max() <= 0.5 + 1e-9


def test_greys_that_come_out_black_are_remarked_on():
    remarks = []
    for largest in (4095, 16383, 40000, 0):
        raw = Image(height=8, width=8, encoding="mono16", step=16)
        raw.data = array("B", np.full((8, 8), largest, np.uint16).tobytes())
        image_from_message(raw, max_pixels=100, remark=remarks.append)
        image_from_message(raw, max_pixels=100, bits=12, remark=remarks.append)
    assert [remark.split(" bits")[0][-8:] for remark in remarks] == ["12 of 16", "14 of 16"]
    assert "set images.bits" in remarks[0]


def test_deep_pngs_that_come_out_black_are_remarked_on():
    remarks = []
    data = cv2.imencode(".png", np.full((8, 8), 4095, np.uint16))[1].tobytes()
    for bits in (16, 12):
        read = image_from_compressed(
            compressed(data), max_pixels=100, bits=bits, remark=remarks.append
        )
        assert read.max() == (255 if bits == 12 else 16)
    (remark,) = remarks
    assert remark.startswith("png images use 12 of 16 bits")
    assert "set images.bits" in remark


def test_rgb8_is_not_copied():
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    message = image_message(pixels, "rgb8", Header())
    image = image_from_message(message, max_pixels=20)
    message.data[0] = 99
    assert image[0, 0, 0] == 99
    assert image.flags.c_contiguous


def test_data_may_be_longer_than_needed():
    message = image_message(np.full((2, 2, 3), 5, np.uint8), "rgb8", Header())
    message.data.frombytes(b"more")
    assert image_from_message(message, max_pixels=4).tolist() == [[[5] * 3] * 2] * 2


def picture(encoding="rgb8", width=4, height=4, step=None, length=None):
    step = 4 * 4 if step is None else step
    data = bytes(step * height * 3 if length is None else length)
    return Image(encoding=encoding, width=width, height=height, step=step, data=array("B", data))


@pytest.mark.parametrize(
    ("message", "received", "expected"),
    [
        (picture("jpeg2000"), "'jpeg2000'", "rgb8"),
        (picture("RGB8"), "'RGB8'", "rgb8"),
        (picture("x\n" * 5000), "...", "rgb8"),
        (picture("32FC1"), "'32FC1'", "mono16"),
        (picture("rgb8", length=63), "63 bytes", "64"),
        (picture("rgb8", length=0), "0 bytes", "64"),
        (picture("rgb8", step=11), "step 11", "12"),
        (picture("mono16", step=7), "step 7", "8"),
        (picture("rgb8", width=0), "0x4", "1x1"),
        (picture("rgb8", height=0), "4x0", "1x1"),
        (picture("bayer_rggb8", width=2), "2x4", "3x3"),
        (picture("yuv422", width=3), "3x4", "even width"),
        (picture("yuyv", width=1), "1x4", "even width"),
        (picture("nv12", width=3), "3x4", "even width and height"),
        (picture("nv21", height=3), "4x3", "even width and height"),
        (picture("nv12", length=16 * 4), "64 bytes", "96"),
        (picture("nv24", length=16 * 8), "128 bytes", "192"),
        (picture("rgb8", 2**32 - 1, 2**32 - 1, 64, 64), "4294967295x4294967295", "10000"),
        (picture("rgb8", 101, 100, 303, 64), "101x100", "10000"),
        (picture("mono8", 4, 4, 2**32 - 1, 64), "64 bytes", "17179869180"),
    ],
)
def test_malformed_messages_are_refused_with_words(message, received, expected):
    with pytest.raises(ImageError) as refusal:
        image_from_message(message, max_pixels=MAX_PIXELS)
    text = str(refusal.value)
    assert "\n" not in text
    assert received in text.partition("expected")[0]
    assert expected in text.partition("expected")[2]


sizes = st.one_of(st.integers(0, 9), st.sampled_from([100, 2**16, 2**31, 2**32 - 1]))


def outcome(convert, message):
    """The picture, or the text of the refusal."""
    try:
        return convert(message, max_pixels=MAX_PIXELS)
    except ImageError as refusal:
        return str(refusal)


@given(
    encoding=st.one_of(st.sampled_from(ENCODINGS), st.text(max_size=60)),
    width=sizes,
    height=sizes,
    step=st.one_of(st.integers(0, 80), sizes),
    is_bigendian=st.integers(0, 255),
    length=st.one_of(st.integers(0, 700), st.none()),
    shortfall=st.integers(-2, 2),
)
@FUZZ
def test_any_message_is_a_picture_or_one_line(
    encoding, width, height, step, is_bigendian, length, shortfall
):
    if length is None:  # close to what it takes
        length = min(max(step * height - shortfall, 0), 10_000)
    message = Image(
        encoding=encoding, width=width, height=height, step=step, is_bigendian=is_bigendian
    )
    message.data = array("B", np.random.default_rng(length).bytes(length))
    image = outcome(image_from_message, message)
    if isinstance(image, str):
        assert 0 < len(image) < 1000
        assert "\n" not in image
    else:
        assert image.dtype == np.uint8
        assert image.shape == (height, width, 3)
        assert width * height <= MAX_PIXELS


RNG = np.random.default_rng(3)
COLOUR = RNG.integers(0, 256, (7, 9, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (7, 9), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (7, 9), dtype=np.uint16)


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [("rgb8", COLOUR), ("mono8", GREY), ("16UC1", DEEP), ("mono8", GREY[:0])],
)
def test_published_messages_hold_the_pixels(encoding, pixels):
    header = Header(frame_id="camera")
    for stored in (pixels, np.asfortranarray(pixels), np.repeat(pixels, 2, axis=1)[:, ::2]):
        message = image_message(stored, encoding, header)
        assert message.header is header
        assert (message.height, message.width) == pixels.shape[:2]
        assert message.encoding == encoding
        assert message.step * message.height == len(message.data)
        assert bytes(message.data) == pixels.tobytes()
        assert bool(message.is_bigendian) == (sys.byteorder == "big")


@pytest.mark.parametrize(
    ("encoding", "pixels"),
    [
        ("rgb8", GREY),
        ("rgb8", COLOUR[..., :2]),
        ("rgb8", COLOUR.astype(np.uint16)),
        ("mono8", COLOUR),
        ("mono8", GREY.astype(bool)),
        ("16UC1", DEEP.astype(">u2")),
        ("mono8", GREY[0]),
        ("bgr8", COLOUR),
    ],
)
def test_pixels_that_do_not_fit_their_encoding_are_refused(encoding, pixels):
    with pytest.raises(ImageError, match="expected"):
        image_message(pixels, encoding, Header())


def test_a_reused_message_says_what_a_fresh_one_would():
    reused = ReusedImageMessage("16UC1")
    rng = np.random.default_rng(0)
    for hw in ((4, 6), (4, 6), (5, 3), (5, 3), (0, 7), (4, 6)):
        pixels = rng.integers(0, 2**16, hw, dtype=np.uint16)
        header = Header(frame_id=f"camera{pixels.sum()}")
        assert reused.filled(pixels, header) == image_message(pixels, "16UC1", header)


def test_a_reused_message_takes_the_pictures_of_its_encoding_alone():
    reused = ReusedImageMessage("16UC1")
    reused.filled(np.zeros((4, 6), np.uint16), Header())
    with pytest.raises(ImageError, match="16UC1"):
        reused.filled(np.zeros((4, 6), np.uint8), Header())
