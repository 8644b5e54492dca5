"""Picture, objects and labels of a frame find each other."""

from types import SimpleNamespace

from etam_ros.ros.console.pairing import MOST_BYTES, Pairing


def message(stamp_ns, size=10):
    return SimpleNamespace(stamp_ns=stamp_ns, data=range(size))


def test_a_frame_comes_out_once_in_whatever_order_it_came():
    pairing = Pairing()
    pairing.with_labels = True
    shown, objects, labels = message(1), message(1), message(1)
    assert pairing.picture(shown) is None
    assert pairing.picture(message(2)) is None
    assert pairing.objects(objects) is None
    found = pairing.labels(labels)
    assert (found.stamp_ns, found.picture, found.objects, found.labels) == (
        1, shown, objects, labels,
    )  # fmt: skip
    assert pairing.labels(labels) is None
    assert pairing.labels(message(2)) is None
    assert pairing.objects(message(2)).stamp_ns == 2


def test_what_came_before_a_frame_is_forgotten_and_all_is_bounded():
    pairing = Pairing()
    pairing.with_labels = True
    for stamp_ns in range(1, 200):
        pairing.picture(message(stamp_ns))
    assert pairing.objects(message(1)) is None
    assert pairing.labels(message(1)) is None  # its picture had to go
    pairing.objects(message(199))
    assert pairing.labels(message(199)) is not None
    large = Pairing()
    large.with_labels = True
    for stamp_ns in range(1, 5):
        large.picture(message(stamp_ns, MOST_BYTES))
    large.objects(message(3))
    assert large.labels(message(3)) is not None
    large.objects(message(2))
    assert large.labels(message(2)) is None


def test_frames_without_stamps_are_the_newest():
    pairing = Pairing()
    pairing.with_labels = True
    first, second = message(0), message(0)
    pairing.picture(first)
    pairing.picture(second)
    pairing.objects(message(0))
    assert pairing.labels(message(0)).picture is second


def test_labels_are_not_waited_for_where_objects_say_it_all():
    pairing = Pairing()
    labels = message(2)
    pairing.picture(message(1))
    assert pairing.labels(message(1)) is None
    assert pairing.objects(message(1)).labels is not None
    assert pairing.objects(message(2)) is None
    assert pairing.picture(message(2)).labels is None
    assert pairing.labels(labels) is None
    assert pairing.picture(message(3)) is None
    assert pairing.objects(message(3)).labels is None
    assert not pairing._labels  # of which nobody will ask any more
