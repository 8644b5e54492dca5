"""The clip that the demo plays."""

import pytest

from etam_ros.demo.clip import make_clip, open_clip
from etam_ros.errors import SourceError
from etam_ros.media.label_png import read_mask_values
from etam_ros.media.sources import open_source


def test_a_made_up_clip_knows_its_images_as_they_are_read(tmp_path):
    made = []
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip" / "left").write_text("by an earlier run")
    clip = make_clip(7, 3, tmp_path / "clip", lambda: made.append(1))
    assert len(made) == 3
    assert sorted(clip.truth.labels) == [1, 2]
    assert {path.name for path in (tmp_path / "clip").iterdir()} == {"frames", "masks"}
    with open_source(clip.path) as frames:
        for number, frame in enumerate(frames):
            index, label_image = clip.truth.find(frame.image)
            assert index == number
            mask = read_mask_values(tmp_path / "clip" / "masks" / f"{number:05d}.png")
            assert (mask == label_image).all()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match=r"cannot write .*file.*: Not a directory"):
        make_clip(7, 2, tmp_path / "file" / "clip", lambda: None)


def test_a_clip_of_the_users_has_no_truth(tmp_path):
    clip = make_clip(7, 2, tmp_path, lambda: None)
    own = open_clip(clip.path)
    assert (own.path, own.name, own.fps, own.truth) == (clip.path, clip.path, 30.0, None)
    with pytest.raises(SourceError, match=r"absent\.mp4 does not exist"):
        open_clip("absent.mp4")
