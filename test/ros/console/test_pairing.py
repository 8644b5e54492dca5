"""Picture, objects and labels of a frame find each other."""

from types import SimpleNamespace

from etam_ros.ros.console.pairing import MOST_BYTES, Pairing


def picture(size=10):
    return SimpleNamespace(data=bytes(size))


def test_a_frame_comes_out_once_in_whatever_order_it_came():
    pairing = Pairing()
    shown = picture()
    assert pairing.picture(1, shown) is None
    assert pairing.picture(2, picture()) is None
    assert pairing.objects(1, "objects") is None
    found = pairing.labels(1, "labels")
    assert (found.stamp_ns, found.picture, found.objects, found.labels) == (
        1, shown, "objects", "labels",
    )  # fmt: skip
    assert pairing.labels(1, "labels") is None
    assert pairing.labels(2, "labels") is None
    assert pairing.objects(2, "objects").stamp_ns == 2


def test_what_came_before_a_frame_is_forgotten_and_all_is_bounded():
    pairing = Pairing()
    for stamp_ns in range(1, 200):
        pairing.picture(stamp_ns, picture())
    assert pairing.objects(1, "objects") is None
    assert pairing.labels(1, "labels") is None  # its picture had to go
    pairing.objects(199, "objects")
    assert pairing.labels(199, "labels") is not None
    large = Pairing()
    for stamp_ns in range(1, 5):
        large.picture(stamp_ns, SimpleNamespace(data=range(MOST_BYTES)))
    large.objects(3, "objects")
    assert large.labels(3, "labels") is not None
    large.objects(2, "objects")
    assert large.labels(2, "labels") is None


def test_frames_without_stamps_are_the_newest():
    pairing = Pairing()
    first, second = picture(), picture()
    pairing.picture(0, first)
    pairing.picture(0, second)
    pairing.objects(0, "objects")
    assert pairing.labels(0, "labels").picture is second
