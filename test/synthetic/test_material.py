"""Training material: what folders hold, what regions are found, and that a pack keeps it."""

import cv2
import numpy as np
import pytest

from etam_ros.errors import SourceError
from etam_ros.media.label_png import encode_label_png
from etam_ros.synthetic.collage.procedural import procedural_material
from etam_ros.synthetic.material.archive import pack_material, read_pack
from etam_ros.synthetic.material.loading import load_material
from etam_ros.synthetic.material.photographs import make_photograph, outlined
from etam_ros.synthetic.material.records import Material, Partition, Track

PALETTE = np.array([[40, 60, 50], [200, 60, 40], [60, 90, 210], [230, 220, 70]], np.uint8)


def drawing():
    """A picture of two touching parts of one thing, and of another thing apart from them."""
    ids = np.zeros((96, 128), np.uint8)
    ids[20:50, 20:60] = 1
    ids[50:80, 20:60] = 2
    cv2.circle(ids, (96, 48), 20, 3, -1)
    image = np.repeat(np.repeat(PALETTE[ids], 2, axis=0), 2, axis=1)
    noise = np.random.default_rng(0).integers(0, 12, image.shape, dtype=np.uint8)
    return image + noise, np.repeat(np.repeat(ids, 2, axis=0), 2, axis=1)


@pytest.fixture
def folder(tmp_path):
    image, ids = drawing()
    for name in ("images", "masks"):
        (tmp_path / "set" / name).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "set" / "images" / "a.jpg"), image[..., ::-1])
    (tmp_path / "set" / "masks" / "a.png").write_bytes(encode_label_png(ids))
    return tmp_path / "set"


def iou(a, b):
    return (a & b).sum() / (a | b).sum()


def best(partition, mask):
    return max(iou(partition.mask(index) > 0, mask) for index in range(len(partition)))


def test_a_thing_its_parts_and_their_whole_are_all_things():
    _, ids = drawing()
    things = outlined(ids)
    for wanted in (ids == 1, ids == 2, (ids == 1) | (ids == 2), ids == 3):
        assert best(things, wanted) == 1.0
    assert len(things) == 4
    whole = int(np.argmax([iou(things.mask(i) > 0, (ids == 1) | (ids == 2)) for i in range(4)]))
    parts = {tuple(np.unique(ids[things.mask(int(part)) > 0])) for part in things.parts(whole)}
    assert parts == {(1,), (2,)}
    assert things.shares[whole] == pytest.approx((ids > 0)[:, :140].mean() * 140 / 256)


def test_pieces_of_a_thing_are_things_too():
    ids = np.zeros((64, 96), np.uint8)
    ids[10:30, 5:25] = 7
    ids[10:30, 60:90] = 7
    things = outlined(ids)
    pair = ids == 7
    left, right = pair.copy(), pair.copy()
    left[:, 40:], right[:, :40] = False, False
    assert [best(things, wanted) for wanted in (pair, left, right)] == [1.0, 1.0, 1.0]
    assert outlined(np.zeros((8, 8), np.uint8)) is None


def test_regions_find_what_differs_in_colour():
    image, ids = drawing()
    regions = make_photograph(image).regions
    assert regions.labels.shape == ids.shape
    assert not regions.members[:, 0].any()
    for value in (1, 2, 3):
        assert best(regions, ids == value) > 0.85


def test_a_folder_of_images_and_masks(folder):
    material = load_material([folder], longest_px=128)
    photograph = material.photographs[0]
    assert photograph.image.shape == (96, 128, 3)
    _, ids = drawing()
    assert best(photograph.truth, ids[::2, ::2] == 3) > 0.95
    assert material.footage == ()


def test_plain_photographs_and_folders_of_folders(folder):
    plain = load_material([folder / "images"])
    assert plain.photographs[0].truth is None
    nested = load_material([folder.parent])
    assert nested.photographs[0].truth is not None


def test_videos_become_footage_and_photographs(tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "video.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for tone in range(30):
            picture = np.full((96, 160, 3), 8 * tone, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    material = load_material([tmp_path], longest_px=80)
    (piece,) = material.footage
    assert piece.shape == (10, 48, 80, 3)
    tones = piece.mean(axis=(1, 2, 3))
    assert np.abs(tones - 24 * np.arange(10)).max() < 6
    assert len(material.photographs) == 1


@pytest.mark.parametrize("name", ["nowhere", "empty"])
def test_paths_without_material_are_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=f"{name}.* expected"):
        load_material([tmp_path / name])


def test_a_picture_that_is_none_and_a_mask_of_another_size_are_refused(folder):
    (folder / "masks" / "a.png").write_bytes(encode_label_png(np.ones((9, 9), np.uint8)))
    with pytest.raises(SourceError, match="9x9, expected 256x192"):
        load_material([folder])
    (folder / "images" / "b.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceError, match=r"b\.jpg cannot be read"):
        load_material([folder / "images"])


@pytest.fixture
def packed(tmp_path):
    footage = np.random.default_rng(0).integers(0, 255, (3, 6, 8, 3), dtype=np.uint8)
    drawn = procedural_material().photographs[:3]
    plain = make_photograph(drawing()[0])
    masks = np.zeros((2, 48, 64), np.uint8)
    masks[:, 10:20, 30:50] = 255
    piece = np.repeat(np.repeat(footage, 8, 1), 8, 2)
    material = Material((*drawn, plain), (piece,), (Track(0, 1, masks),))
    path = tmp_path / "material.npz"
    return material, path, pack_material(material, path, max_bytes=40 * 2**20)


def same(a, b):
    if a is None or b is None:
        return a is b
    return np.array_equal(a.labels, b.labels) and np.array_equal(a.members, b.members)


def test_a_pack_keeps_everything(packed):
    material, path, size = packed
    assert path.stat().st_size == size
    loaded = load_material([path])
    assert len(loaded.photographs) == 4
    for ours, theirs in zip(material.photographs, loaded.photographs, strict=True):
        assert same(ours.truth, theirs.truth)
        assert same(ours.regions, theirs.regions)
        assert np.abs(ours.image.astype(int) - theirs.image).mean() < 6
    (ours,), (theirs,) = material.footage, loaded.footage
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).mean() < 12
    twice = load_material([path, path])
    assert [track.piece for track in twice.tracks] == [0, 1]
    assert twice.tracks[1].first == 1
    assert np.array_equal(twice.tracks[1].masks, material.tracks[0].masks)


def test_a_pack_fits_or_says_that_it_cannot(packed, tmp_path):
    material, _, size = packed
    smaller = pack_material(material, tmp_path / "small.npz", max_bytes=int(0.9 * size))
    assert smaller <= 0.9 * size
    with pytest.raises(SourceError, match="MiB at the lowest quality, expected at most"):
        pack_material(material, tmp_path / "none.npz", max_bytes=2000)
    assert not (tmp_path / "none.npz").exists()


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "foreign", "missing"])
def test_a_damaged_pack_is_one_line(packed, damage):
    _, path, size = packed
    data = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(data[: size // 2])
    elif damage == "flipped":
        data[size // 3 : size // 3 + 400] = bytes(400)
        path.write_bytes(data)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("no pack")
    elif damage == "foreign":
        with path.open("wb") as file:
            np.savez(file, weights=np.zeros(3))
    else:
        path.unlink()
    with pytest.raises(SourceError, match="expected") as caught:
        read_pack(path)
    assert "\n" not in str(caught.value)


def test_a_partition_paints_labels_of_any_frame():
    members = np.zeros((1, 256), np.bool_)
    members[0, 2] = True
    things = Partition(np.array([[0, 2], [1, 2]], np.uint8), members)
    assert things.shares.tolist() == [0.5]
    assert things.paint(0, np.array([[2, 1, 0]], np.uint8)).tolist() == [[255, 0, 0]]
