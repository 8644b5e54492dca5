"""Numbers of one object through a video, on cases whose answers are known beforehand."""

from __future__ import annotations

import pytest

from etam_ros.evaluation.metrics.series import (
    Judgement,
    ObjectSeries,
    Recovery,
    identity,
    occlusion,
    recovery,
    spread,
)


def series(text: str, *, step: int = 1) -> list[Judgement]:
    """One frame a letter.

    Y: there, and found well; n: there, found badly; l: there, and not found (lost);
    .: away, and not found; !: away, and found somewhere.
    """
    j = {"Y": 0.8, "n": 0.2, "l": 0.0, ".": 1.0, "!": 0.0}
    return [
        Judgement(place * step, j[each], j[each], each in "Ynl", each in "Yn!")
        for place, each in enumerate(text)
    ]


def test_absence_is_counted_by_frame() -> None:
    found = occlusion(series("YY..!!lY"))
    assert (found.absent, found.called_absent, found.both) == (4, 3, 2)
    assert found.precision == pytest.approx(2 / 3)
    assert found.recall == pytest.approx(2 / 4)


def test_without_absences_there_is_no_precision_and_no_recall() -> None:
    found = occlusion(series("YYnY"))
    assert (found.precision, found.recall) == (None, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("YYYY", Recovery(0, 0, None)),
        ("YY..YY", Recovery(1, 1, 0)),
        ("YY..lnY", Recovery(1, 1, 2)),
        ("YY..ln", Recovery(1, 0, None)),
        ("Y.nnY.Y", Recovery(2, 2, 1)),
        ("Y.n.Y", Recovery(2, 1, 0)),
        ("..YY", Recovery(1, 1, 0)),
        ("YY..", Recovery(0, 0, None)),
    ],
)
def test_recovery_counts_from_the_return_of_the_object(text: str, expected: Recovery) -> None:
    assert recovery(series(text)) == expected


def test_recovery_is_told_in_frames_of_the_video_where_truth_is_sparse() -> None:
    assert recovery(series("Y.nY", step=5)).frames == 5


def covering(*objects: int | None) -> list[Judgement]:
    return [Judgement(i, 0.5, 0.5, True, True, covers=each) for i, each in enumerate(objects)]


@pytest.mark.parametrize(
    ("covers", "own", "switches", "ended_on"),
    [
        ((1, 1, 1), 1.0, 0, 1),
        ((1, 2, 2, 2), 0.25, 1, 2),
        ((1, 2, 1, 1), 0.75, 2, 1),
        ((1, 0, 0, 1), 1.0, 0, 1),
        ((2, 2), 0.0, 1, 2),
        ((0, None, 0), None, 0, 0),
    ],
)
def test_identity_through_a_crossing(
    covers: tuple[int | None, ...], own: float | None, switches: int, ended_on: int
) -> None:
    found = identity(covering(*covers), object_id=1)
    assert (found.own, found.switches, found.ended_on) == (own, switches, ended_on)


def test_decay_of_a_mask_that_is_lost_halfway() -> None:
    found = spread([1.0] * 4 + [0.0] * 4)
    assert (found.mean, found.recall, found.decay) == (0.5, 0.5, 1.0)


def test_a_summary_is_plain_values() -> None:
    judged = (
        Judgement(1, 0.5, 0.7, True, True, 3.0, 1),
        Judgement(2, 1.0, 1.0, True, True, 1.0, 1),
    )
    found = ObjectSeries(1, 0, judged).summary()
    assert found["j"] == {"mean": 0.75, "recall": 0.5, "decay": -0.5}
    assert found["j_and_f"] == pytest.approx(0.8)
    assert found["centroid_px"] == 2.0
    assert found["identity"] == {"own": 1.0, "switches": 0, "ended_on": 1}


def test_boxes_have_no_outlines() -> None:
    found = ObjectSeries(1, 0, (Judgement(1, 0.6, None, True, True),))
    assert found.f is None
    assert found.j_and_f == 0.6
    assert found.summary()["f"] is None
