"""Video files as cameras, players and broken disks leave them: real files, written by PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from etam_ros.errors import CutSourceError, SourceError
from etam_ros.media.sources import open_source, read_image
from etam_ros.media.video_writer import VideoWriter

RATE = 25
COUNT = 20


def noise(number: int) -> np.ndarray:
    """A picture that is not packed into nothing, brighter with its number."""
    rng = np.random.default_rng(number)
    return rng.integers(0, 40 + 10 * number, (96, 128, 3)).astype(np.uint8)


def write(path: Path, *, cover: bool = False, sar: Fraction | None = None, **context) -> Path:
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path.absolute()), "w", options=options) as container:
        if cover:
            picture = container.add_stream("mjpeg", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuvj420p"
        film = container.add_stream("libx264" if context else "mpeg4", rate=RATE)
        film.width, film.height, film.pix_fmt = 128, 96, "yuv420p"
        if sar is not None:
            film.codec_context.sample_aspect_ratio = sar
        for name, value in context.items():
            setattr(film.codec_context, name, value)
        if cover:
            frame = av.VideoFrame.from_ndarray(noise(0)[:48, :64].copy(), format="rgb24")
            frame = frame.reformat(format="yuvj420p")
            frame.pts, frame.time_base = 0, Fraction(1, 1)
            container.mux([*picture.encode(frame), *picture.encode()])
        for number in range(COUNT):
            frame = av.VideoFrame.from_ndarray(noise(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            container.mux(film.encode(frame))
        container.mux(film.encode())
    return path


def read(path: Path) -> tuple[int, str]:
    """How many frames there are, and what is said behind them."""
    count = 0
    with open_source(path) as source:
        try:
            for _ in source:
                count += 1
        except CutSourceError as error:
            return count, str(error)
    return count, ""


@pytest.mark.parametrize("suffix", [".mkv", ".ts", ".avi", ".mp4"])
def test_what_is_left_of_a_cut_file_is_given_and_the_rest_is_missed(tmp_path, suffix):
    path = write(tmp_path / f"clip{suffix}")
    whole = path.read_bytes()
    assert read(path) == (COUNT, "")
    for share in (0.4, 0.7, 0.95):
        path.write_bytes(whole[: int(len(whole) * share) | 1])  # no whole packet of a TS
        count, said = read(path)
        assert 1 <= count < COUNT + (share > 0.9)  # half of the last frame may be shown
        assert f"{path} cannot be decoded behind frame {count} (" in said
        assert "expected a whole file: repair it, or cut it there" in said


def test_a_time_of_day_is_a_file_and_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert read(write(Path("2026-11-20T14:30:05.mp4"))) == (COUNT, "")
    with VideoWriter(Path("2026-11-20T14:31:00.mp4"), RATE) as writer:
        writer.write(noise(0))
    assert read(Path("2026-11-20T14:31:00.mp4")) == (1, "")


def test_a_playlist_fetches_nothing(tmp_path):
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/clip.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError), open_source(path) as source:
        list(source)


def test_the_film_is_taken_and_not_its_cover(tmp_path):
    path = write(tmp_path / "film.mkv", cover=True)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "mjpeg"
    with open_source(path) as source:
        frames = list(source)
    assert len(frames) == COUNT
    assert frames[0].hw == (96, 128)


def test_pixels_that_are_not_square_are_said(tmp_path):
    with open_source(write(tmp_path / "dv.mp4", sar=Fraction(16, 15))) as source:
        (note,) = source.notes
        assert "are not square (16:15)" in note
        assert next(iter(source)).hw == (96, 128)
    with open_source(write(tmp_path / "square.mp4")) as source:
        assert source.notes == []


def test_hdr_is_said(tmp_path):
    with open_source(write(tmp_path / "hdr.mp4", color_trc=16, color_primaries=9)) as source:
        (note,) = source.notes
    assert "is HDR (PQ)" in note


@pytest.mark.parametrize("matrix", [Colorspace.ITU601, Colorspace.ITU709])
def test_colours_are_those_of_the_matrix_that_is_tagged(tmp_path, matrix):
    path = tmp_path / "colour.mp4"
    colour = (200, 40, 60)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.options = {"crf": "0"}
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, ColorRange.MPEG
        frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), colour, np.uint8), format="rgb24")
        frame = frame.reformat(
            format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
        )
        frame.pts, frame.time_base = 0, Fraction(1, RATE)
        container.mux([*stream.encode(frame), *stream.encode()])
    with open_source(path) as source:
        (shown,) = source
    assert np.abs(shown.image.astype(int) - colour).max() <= 4


@pytest.mark.parametrize("name", ["three.webp", "three.png", "three.tiff", "three.gif"])
def test_several_pictures_in_one_file_are_not_taken_for_one(tmp_path, name):
    pictures = [Image.fromarray(noise(number)) for number in range(3)]
    pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    with pytest.raises(SourceError, match=r"three.* cannot be read: it holds 3 pictures"):
        read_image(tmp_path / name)
    pictures[0].save(tmp_path / f"one_{name}")
    assert read_image(tmp_path / f"one_{name}").shape == (96, 128, 3)


@pytest.mark.parametrize(
    ("mode", "samples"),
    [("F", "floating-point samples"), ("I", "32-bit samples"), ("LAB", r"L\*a")],
)
def test_samples_that_would_come_out_in_wrong_colours_are_refused(tmp_path, mode, samples):
    Image.new(mode, (30, 20)).save(tmp_path / "odd.tif")
    with pytest.raises(SourceError, match=rf"odd.tif cannot be read: it holds {samples}"):
        read_image(tmp_path / "odd.tif")
    for usual in ("1", "L", "RGB", "RGBA", "CMYK", "I;16"):
        Image.new(usual, (30, 20)).save(tmp_path / "usual.tif")
        assert read_image(tmp_path / "usual.tif").shape == (20, 30, 3)


def test_frames_that_no_browser_plays_are_reduced_and_it_is_said(tmp_path):
    wide = np.zeros((40, 20_000, 3), np.uint8)
    with VideoWriter(tmp_path / "wide.mp4", RATE) as writer:
        writer.write(wide)
        assert writer.note == f"{tmp_path / 'wide.mp4'} is reduced to 4096 x 8 pixels"
    assert cv2.VideoCapture(str(tmp_path / "wide.mp4")).get(cv2.CAP_PROP_FRAME_WIDTH) == 4096
