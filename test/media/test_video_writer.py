"""Videos that were written decode again, whole and in the right colours."""

import av
import numpy as np
import pytest

from etam_ros.errors import SourceError
from etam_ros.media.video_writer import VideoWriter


def decode(path):
    with av.open(str(path)) as container:
        return [
            (frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)
        ]


def flat(colour, height=48, width=64):
    return np.full((height, width, 3), colour, np.uint8)


def test_every_frame_decodes_again_in_order_time_and_colour(tmp_path):
    colours = [(200, 40, 40), (40, 180, 60), (50, 60, 210), (128, 128, 128), (240, 230, 60)]
    with VideoWriter(tmp_path / "a.mp4", 25.0) as writer:
        for colour in colours:
            writer.write(flat(colour))
    decoded = decode(tmp_path / "a.mp4")
    assert len(decoded) == len(colours)
    for index, ((time, picture), colour) in enumerate(zip(decoded, colours, strict=True)):
        assert time == pytest.approx(index / 25.0, abs=1e-3)
        assert picture.shape == (48, 64, 3)
        assert np.abs(picture.astype(int) - colour).max() <= 12
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"


def test_times_given_are_kept_and_always_go_forward(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10.0) as writer:
        for time in (0.0, 0.5, 0.4, 2.0):
            writer.write(flat((90, 90, 90)), time)
    times = [time for time, _ in decode(tmp_path / "a.mp4")]
    assert times[0] == 0.0
    assert times[1] == pytest.approx(0.5, abs=1e-3)
    assert times[3] == pytest.approx(2.0, abs=1e-3)
    assert times == sorted(set(times))


@pytest.mark.parametrize(("height", "width"), [(47, 63), (1, 1), (2, 3), (33, 40)])
def test_odd_and_tiny_sizes_gain_a_row_or_column(tmp_path, height, width):
    with VideoWriter(tmp_path / "a.mp4", 10.0) as writer:
        writer.write(flat((10, 200, 90), height, width))
    ((_, picture),) = decode(tmp_path / "a.mp4")
    assert picture.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(picture.astype(int) - (10, 200, 90)).max() <= 12


def test_frames_of_another_size_are_fitted_into_the_first(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10.0) as writer:
        writer.write(flat((250, 250, 250), 48, 64))
        writer.write(flat((250, 250, 250), 96, 64))
    _, (_, second) = decode(tmp_path / "a.mp4")
    assert second.shape == (48, 64, 3)
    assert second[24, 32].min() > 230  # the picture in the middle
    assert second[24, 4].max() < 30  # bars beside it


def test_the_name_appears_when_the_file_is_whole(tmp_path):
    path = tmp_path / "a.mp4"
    writer = VideoWriter(path, 10.0)
    writer.write(flat((1, 2, 3)))
    assert not path.exists()
    writer.close()
    writer.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    assert len(decode(path)) == 1


def test_an_interrupted_run_leaves_a_whole_video(tmp_path):
    def run():
        with VideoWriter(tmp_path / "a.mp4", 10.0) as writer:
            for index in range(40):
                writer.write(flat((index, index, index)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert len(decode(tmp_path / "a.mp4")) == 40


def test_without_a_frame_there_is_no_file(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10.0):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_one_line(tmp_path):
    with pytest.raises(SourceError, match=r"cannot write .*missing.*a\.mp4") as caught:
        VideoWriter(tmp_path / "missing" / "a.mp4", 10.0).write(flat((0, 0, 0)))
    assert "\n" not in str(caught.value)
