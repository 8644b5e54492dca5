"""Sources of frames on real files: videos that PyAV writes, folders that OpenCV writes."""

import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image
import pytest

from etam_ros.errors import SourceError
from etam_ros.media.sources import open_source

IDENTITY = bytes.fromhex("00010000 00000000 00000000 00000000 00010000 00000000 00000000 00000000")
QUARTER_TURN = bytes.fromhex(
    "00000000 00010000 00000000 ffff0000 00000000 00000000 00000000 00000000"
)


def shade(number):
    """A picture whose brightness tells its number, red at its left edge."""
    image = np.full((48, 64, 3), 20 + 20 * number, np.uint8)
    image[:, :16] = (255, 0, 0)
    return image


def shade_number(image):
    return round((float(image[24, 40].mean()) - 20) / 20)


def write_video(path, count=6, rate=10, times=None, codec="mpeg4"):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(shade(number), format="rgb24")
            frame.time_base = Fraction(1, 1000)
            frame.pts = times[number] if times else number * 1000 // rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_images(folder, names):
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), shade(number)[..., ::-1])
    return folder


def refusal(source):
    """The one line with which a source is refused, when opened or read."""
    with pytest.raises(SourceError) as caught, open_source(source) as opened:
        list(opened)
    line = str(caught.value)
    assert line
    assert "\n" not in line
    return line


def test_video(tmp_path):
    with open_source(str(write_video(tmp_path / "clip.mp4"))) as source:
        assert (source.name, source.fps, source.frame_count) == ("clip.mp4", 10, 6)
        assert not source.live
        frames = list(source)
    assert [shade_number(frame.image) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert [frame.stamp_ns for frame in frames] == [n * 100_000_000 for n in range(6)]
    red, green, blue = frames[3].image[24, 4].astype(int)
    assert red > 200
    assert max(green, blue) < 60


def test_stamps_of_a_video_are_its_own_times_from_its_first_frame_on(tmp_path):
    times = [400, 500, 650, 651, 2000, 2100]
    frames = list(open_source(write_video(tmp_path / "clip.mkv", times=times)))
    assert [frame.stamp_ns for frame in frames] == [(t - 400) * 1_000_000 for t in times]


def test_a_video_file_of_unknown_length_has_no_frame_count(tmp_path):
    with open_source(write_video(tmp_path / "clip.mkv")) as source:
        assert source.frame_count is None
        assert len(list(source)) == 6


def test_a_turned_video_stands_upright(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    data = path.read_bytes()
    track = data.index(b"tkhd")
    at = data.index(IDENTITY, track)
    path.write_bytes(data[:at] + QUARTER_TURN + data[at + len(IDENTITY) :])
    frame = next(iter(open_source(path)))
    assert frame.hw == (64, 48)
    # Turned clockwise by a quarter: the left edge is up.
    assert frame.image[4, 24, 0] > 200
    assert frame.image[4, 24, 2] < 60
    assert shade_number(frame.image.transpose(1, 0, 2)) == 0


def test_each_iteration_starts_over(tmp_path):
    folder = write_images(tmp_path / "images", ["a.png", "b.png"])
    for path in (write_video(tmp_path / "clip.mp4", count=2), folder):
        with open_source(path) as source:
            assert shade_number(next(iter(source)).image) == 0
            for _ in range(2):
                assert [shade_number(frame.image) for frame in source] == [0, 1]


def test_close_ends_an_iteration_and_can_be_called_again(tmp_path):
    source = open_source(write_video(tmp_path / "clip.mp4"))
    frames = iter(source)
    next(frames)
    source.close()
    source.close()
    assert list(frames) == []


def test_folder_in_natural_order(tmp_path):
    names = ["img2.jpg", "img10.PNG", "img10b.bmp", "IMG11.webp", "img100.tiff"]
    folder = write_images(tmp_path / "images", names)
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_text("no image")
    with open_source(folder) as source:
        assert (source.name, source.fps, source.frame_count) == ("images", 30, 5)
        frames = list(source)
    assert [shade_number(frame.image) for frame in frames] == [0, 1, 2, 3, 4]
    assert [frame.stamp_ns for frame in frames] == [0, 33333333, 66666667, 100000000, 133333333]
    np.testing.assert_array_equal(frames[1].image, shade(1))


def test_a_rate_of_ones_own_stamps_a_folder(tmp_path):
    folder = write_images(tmp_path / "images", ["0.png", "1.png", "2.png"])
    with open_source(folder, fps=4) as source:
        assert source.fps == 4
        assert [frame.stamp_ns for frame in source] == [0, 250_000_000, 500_000_000]
    for rate in (0, -1, float("nan"), float("inf")):
        with pytest.raises(SourceError, match="above 0"):
            open_source(folder, fps=rate)


def test_images_of_a_folder_may_differ_in_size_and_kind(tmp_path):
    pictures = {
        "1.png": np.full((5, 9, 3), 7, np.uint8),
        "2.png": np.full((3, 4), 9, np.uint8),
        "3.png": np.full((2, 2, 4), 200, np.uint8),
        "4.png": np.full((6, 1), 65535, np.uint16),
    }
    for name, pixels in pictures.items():
        cv2.imwrite(str(tmp_path / name), pixels)
    images = [frame.image for frame in open_source(tmp_path)]
    assert [image.shape for image in images] == [(5, 9, 3), (3, 4, 3), (2, 2, 3), (6, 1, 3)]
    assert [int(image[0, 0, 0]) for image in images] == [7, 9, 200, 255]


def test_one_image_is_a_source_of_one_frame(tmp_path):
    write_images(tmp_path, ["photo.jpg"])
    with open_source(tmp_path / "photo.jpg") as source:
        assert source.frame_count == 1
        assert [shade_number(frame.image) for frame in source] == [0]


def test_frames_are_decoded_when_asked_for(tmp_path):
    folder = write_images(tmp_path / "images", ["0.png", "1.png"])
    frames = iter(open_source(folder))
    next(frames)
    (folder / "1.png").write_bytes(b"")
    with pytest.raises(SourceError, match=r"1\.png"):
        next(frames)


@pytest.mark.parametrize("name", ["1.jpg", "1.png", "1.bmp", "1.webp", "1.tiff"])
@pytest.mark.parametrize(
    "damage", [lambda data: data[:40], lambda data: b"", lambda data: b"text"]
)
def test_an_unreadable_image_is_named(tmp_path, name, damage):
    folder = write_images(tmp_path / "images", ["0.png", name])
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    assert f"{folder / name} cannot be read" in refusal(folder)


def test_what_opencv_cannot_read_is_told_by_us_alone(tmp_path, capfd):
    cv2.imwrite(str(tmp_path / "deep.tiff"), np.zeros((8, 8), np.float64))
    assert "no picture that OpenCV can decode" in refusal(tmp_path / "deep.tiff")
    assert capfd.readouterr().err == ""


def test_pillow_looks_at_large_pictures_without_a_word(tmp_path, monkeypatch, recwarn):
    write_images(tmp_path, ["large.png"])
    height, width = cv2.imread(str(tmp_path / "large.png")).shape[:2]
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", height * width - 1)  # warns up to twice
    with open_source(tmp_path / "large.png") as source:
        assert len(list(source)) == 1
    assert [str(each.message) for each in recwarn] == []


def test_half_a_jpeg_is_not_half_a_picture(tmp_path):
    folder = write_images(tmp_path / "images", ["0.jpg"])
    data = (folder / "0.jpg").read_bytes()
    (folder / "0.jpg").write_bytes(data[: len(data) - 20])
    assert "no end marker" in refusal(folder)


def test_a_folder_with_an_image_suffix_inside_is_an_unreadable_image(tmp_path):
    (tmp_path / "images" / "0.png").mkdir(parents=True)
    assert "0.png cannot be read" in refusal(tmp_path / "images")


def test_what_is_no_source_is_refused_in_one_line(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video\n" * 100)
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    (tmp_path / "folder").mkdir()
    assert "does not exist" in refusal(tmp_path / "missing.mp4")
    assert "does not exist" in refusal("rtsp://camera/stream")
    assert "cannot be opened" in refusal(text)
    assert "cannot be opened" in refusal(empty)
    assert "holds no images" in refusal(tmp_path / "folder")
    (tmp_path / "around" / "bag").mkdir(parents=True)
    (tmp_path / "around" / "bag" / "bag.mcap").write_bytes(b"")
    assert refusal(tmp_path / "around").endswith(f"in it: {tmp_path / 'around' / 'bag'}")
    assert "expected a video file" in refusal("")
    assert "cannot be opened" in refusal("x" * 5000) or "does not exist" in refusal("x" * 5000)


def test_sound_is_no_video(tmp_path):
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), layout="mono")
        sound.rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    assert "no pictures" in refusal(path)


def test_a_video_without_its_index_is_refused(tmp_path):
    path = write_video(tmp_path / "clip.mp4")
    path.write_bytes(path.read_bytes()[:600])
    assert str(path) in refusal(path)


def test_a_video_damaged_in_the_middle_never_ends_in_another_error(tmp_path):
    whole = write_video(tmp_path / "clip.mp4").read_bytes()
    path = tmp_path / "damaged.mp4"
    rng = np.random.default_rng(5)
    for _ in range(40):
        data = bytearray(whole)
        for at in rng.integers(0, len(data), 20):
            data[at] = rng.integers(0, 256)
        path.write_bytes(bytes(data))
        try:
            stamps = [frame.stamp_ns for frame in open_source(path)]
        except SourceError as error:
            stamps = []
            line = str(error)
        else:
            line = "read"
        assert "\n" not in line
        assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("source", ["977", 977, "/dev/video977", Path("/dev/video977")])
def test_a_camera_that_is_not_there(source):
    line = refusal(source)
    assert "camera 977" in line
    assert "/dev/video977" in line


def test_a_folder_named_like_a_camera_is_a_folder(tmp_path, monkeypatch):
    write_images(tmp_path / "977", ["0.png"])
    monkeypatch.chdir(tmp_path)
    with open_source("977") as source:
        assert source.frame_count == 1


def test_a_camera_stamps_by_the_clock():
    if not Path("/dev/video0").exists():
        pytest.skip("no camera at this machine")
    before = time.time_ns()
    with open_source(0) as source:
        assert source.live
        assert source.frame_count is None
        assert before < next(iter(source)).stamp_ns <= time.time_ns()


def test_sources_need_no_ros():
    program = "import sys, etam_ros.media.sources; print('rclpy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize(("largest", "noted"), [(4095, True), (16383, True), (60000, False)])
def test_pictures_that_come_out_nearly_black_are_noted_once(tmp_path, largest, noted):
    for number in range(2):
        greys = np.linspace(0, largest, 48 * 64).reshape(48, 64).astype(np.uint16)
        cv2.imwrite(str(tmp_path / f"{number}.{'tif' if largest == 4095 else 'png'}"), greys)
    with open_source(str(tmp_path)) as source:
        assert len(list(source)) == 2
        notes = source.notes
    bits = largest.bit_length()
    black = f"16-bit images use {bits} of 16 bits, and come out nearly black"
    assert notes == [f"{black}: scale them to the whole range first"] * noted
