"""When objects are prompted and corrected, with a segmenter whose mistakes are known, and with
the tracker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from etam_ros import Prompt, Tracker, open_stages
from etam_ros.errors import ConfigError
from etam_ros.evaluation.metrics import boundary_accuracy, region_similarity
from etam_ros.evaluation.protocols.judging import covered_object, judge
from etam_ros.evaluation.protocols.rounds import EvaluationProtocol, evaluate
from etam_ros.evaluation.segmenters import TrackerVideoSegmenter
from etam_ros.evaluation.truth.annotations import BoxTruth, MaskTruth
from etam_ros.evaluation.truth.opening import open_videos
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.evaluation.truth_prompts import PROMPT_KINDS
from etam_ros.records import Frame

HW = (40, 60)


class KnownTruths:
    has_masks = True

    def __init__(self, labels: list[np.ndarray | None]) -> None:
        self.labels = labels

    def at(self, index: int, frame: Frame) -> MaskTruth | None:
        labels = self.labels[index]
        return None if labels is None else MaskTruth(labels)

    def files(self) -> list[Path]:
        return []


class KnownVideo(LabelledVideo):
    """Black frames with known truth."""

    def __iter__(self):
        for index in range(len(self.truths.labels)):
            frame = Frame(np.zeros((*HW, 3), np.uint8), index + 1)
            yield frame, self.truths.at(index, frame)


def square(x: int, y: int = 10, object_id: int = 1, side: int = 10) -> np.ndarray:
    labels = np.zeros(HW, np.uint8)
    labels[y : y + side, x : x + side] = object_id
    return labels


class Copier:
    """Leaves a mask where it was prompted or corrected last, and takes corrections at once."""

    def __init__(self) -> None:
        self.reset()
        self.passes = 0

    def reset(self) -> None:
        self.masks: dict[int, np.ndarray] = {}
        self.given: list[Prompt] = []
        self.passes = getattr(self, "passes", 0) + 1

    @property
    def label_image(self) -> np.ndarray:
        labels = np.zeros(HW, np.uint16)
        for object_id, mask in self.masks.items():
            labels[mask] = object_id
        return labels

    def step(self, frame: Frame) -> np.ndarray:
        return self.label_image

    def add_object(self, object_id: int, truth: np.ndarray, kind: str) -> np.ndarray:
        return self.correct(object_id, truth, 1)

    def correct(self, object_id: int, truth: np.ndarray, clicks: int) -> np.ndarray:
        self.replay(Prompt(object_id, mask=truth))
        self.given.append(Prompt(object_id, mask=truth))
        return truth

    def take_prompts(self) -> list[Prompt]:
        given, self.given = self.given, []
        return given

    def replay(self, prompt: Prompt) -> None:
        self.masks[prompt.object_id] = prompt.mask


def moving(count: int = 8, step: int = 2) -> KnownVideo:
    labels = [square(5 + step * index) for index in range(count)]
    return KnownVideo("moving", "", KnownTruths(labels))


def test_semi_prompts_once_and_judges_all_but_first_and_last() -> None:
    (series,) = evaluate(moving(), Copier(), EvaluationProtocol("semi")).objects
    assert [each.frame for each in series.judged] == [1, 2, 3, 4, 5, 6]
    overlaps = [(10 - 2 * n) / (10 + 2 * n) if n < 5 else 0 for n in range(1, 7)]
    assert [each.j for each in series.judged] == pytest.approx(overlaps)
    assert [each.centroid_px for each in series.judged] == pytest.approx([2, 4, 6, 8, 10, 12])
    assert series.interacted == (0,)


def test_online_corrects_where_the_overlap_falls() -> None:
    protocol = EvaluationProtocol("online", "3-clicks")
    (series,) = evaluate(moving(), Copier(), protocol).objects
    # By 2 of 10 pixels: 8/12 = 0.67 is under 0.75 on every frame.
    assert series.interacted == (0, 1, 2, 3, 4, 5, 6, 7)
    assert series.j == 1.0
    (loose,) = evaluate(
        moving(), Copier(), EvaluationProtocol("online", correct_below=0.5)
    ).objects
    assert loose.interacted == (0, 2, 4, 6)
    assert [each.j for each in loose.judged] == pytest.approx([2 / 3, 1, 2 / 3, 1, 2 / 3, 1])


def test_online_stops_when_the_interactions_are_spent() -> None:
    protocol = EvaluationProtocol("online", interactions=3)
    (series,) = evaluate(moving(), Copier(), protocol).objects
    assert series.interacted == (0, 1, 2)


def test_offline_corrects_the_worst_frame_of_each_pass() -> None:
    segmenter = Copier()
    before = segmenter.passes
    done = evaluate(moving(), segmenter, EvaluationProtocol("offline", interactions=3))
    (series,) = done.objects
    assert segmenter.passes - before == done.passes == 3
    # Of frames without any overlap the first comes first: 5; then the worst of the rest.
    assert series.interacted == (0, 4, 5)
    assert [point.interacted_frames for point in done.curve] == [1, 2, 3]
    values = [point.j for point in done.curve]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(series.j)


def test_offline_ends_where_nothing_is_wrong() -> None:
    still = KnownVideo("still", "", KnownTruths([square(5)] * 4))
    done = evaluate(still, Copier(), EvaluationProtocol("offline"))
    assert done.passes == 1
    assert done.objects[0].j_and_f == 1.0


def test_frames_that_do_not_show_an_object_are_not_corrected() -> None:
    nothing = np.zeros(HW, np.uint8)
    video = KnownVideo("away", "", KnownTruths([square(5), nothing, nothing, square(30)] * 2))
    done = evaluate(video, Copier(), EvaluationProtocol("online"))
    assert done.objects[0].interacted == (0, 3, 4, 7)
    assert done.objects[0].summary()["occlusion"]["absent"] == 4


def test_what_is_not_annotated_is_not_judged() -> None:
    labels = [square(5), None, None, square(5), None]
    video = KnownVideo("sparse", "", KnownTruths(labels))
    done = evaluate(video, Copier(), EvaluationProtocol("semi"))
    assert [each.frame for each in done.objects[0].judged] == [3]


def test_objects_start_when_they_come() -> None:
    labels = [square(5), square(5), square(5) + square(30, 20, 4), square(5) + square(30, 20, 4)]
    video = KnownVideo("later", "", KnownTruths([*labels, labels[-1]]))
    done = evaluate(video, Copier(), EvaluationProtocol("semi"))
    assert [(each.object_id, each.prompted_frame, each.frames) for each in done.objects] == [
        (1, 0, 3),
        (4, 2, 1),
    ]


def test_pixels_that_are_not_judged_count_for_nothing() -> None:
    found = square(5).astype(np.uint16)
    void = np.zeros(HW, bool)
    void[:, 10:] = True
    expected = np.where(void, 0, square(5))
    assert judge(found, MaskTruth(expected, void), 1, 0).j == 1.0
    assert judge(found, MaskTruth(expected, void), 1, 0).f == 1.0
    assert judge(found, MaskTruth(expected), 1, 0).j == 0.5


def test_which_object_a_mask_is_on() -> None:
    truth = square(5) + square(30, 10, 2)
    assert covered_object(square(5) > 0, truth) == 1
    assert covered_object(square(28) > 0, truth) == 2
    assert covered_object(square(37, 10) > 0, truth) == 0, "most of it is on nothing"
    assert covered_object(np.zeros(HW, bool), truth) == 0
    half = square(30) > 0
    half[10:20, 5:9] = True
    assert covered_object(half, truth) == 2


def test_boxes_are_held_against_boxes() -> None:
    truth = BoxTruth(HW, {1: (5.0, 10.0, 25.0, 20.0)})
    found = judge(square(5).astype(np.uint16), truth, 1, 0)
    assert (found.j, found.f, found.expected, found.found) == (0.5, None, True, True)
    assert found.centroid_px == 5.0
    nothing = np.zeros(HW, np.uint16)
    assert judge(nothing, truth, 1, 0).j == 0.0
    assert judge(nothing, truth, 2, 0).j == 1.0


def test_boxes_take_no_corrections() -> None:
    truths = KnownTruths([])
    truths.has_masks = False
    video = KnownVideo("boxes", "", truths)
    with pytest.raises(ConfigError, match="ground truth of boxes is boxes"):
        evaluate(video, Copier(), EvaluationProtocol("semi", "mask"))
    with pytest.raises(ConfigError, match="corrections cannot be made"):
        evaluate(video, Copier(), EvaluationProtocol("online", "box"))


Write = Callable[..., None]


@pytest.fixture
def cup(tmp_path: Path, write_sequence: Write) -> LabelledVideo:
    write_sequence(tmp_path / "cup" / "frames", tmp_path / "cup" / "masks")
    return open_videos(str(tmp_path))[0]


@pytest.mark.parametrize("kind", PROMPT_KINDS)
def test_the_tracker_takes_every_kind_of_prompt(cup: LabelledVideo, kind: str) -> None:
    with open_stages("tiny_test", weights="random:0") as stages:
        done = evaluate(cup, TrackerVideoSegmenter(stages), EvaluationProtocol("semi", kind))
    first, second = done.objects
    assert (first.object_id, first.prompted_frame, first.frames) == (1, 0, 3)
    assert (second.object_id, second.prompted_frame, second.frames) == (3, 2, 1)


@pytest.mark.parametrize("name", ["online", "offline"])
def test_the_tracker_is_corrected(cup: LabelledVideo, name: str) -> None:
    with open_stages("tiny_test", weights="random:0") as stages:
        protocol = EvaluationProtocol(name, "1-click", interactions=3)
        done = evaluate(cup, TrackerVideoSegmenter(stages), protocol)
    assert all(1 < len(each.interacted) <= 3 for each in done.objects[:1])
    assert done.passes == (3 if name == "offline" else 1)


def test_the_score_is_that_of_the_published_masks(cup: LabelledVideo) -> None:
    with open_stages("tiny_test", weights="random:0") as stages:
        done = evaluate(cup, TrackerVideoSegmenter(stages), EvaluationProtocol("semi"))
        tracker = Tracker(stages)
        values = []
        for index, (frame, truth) in enumerate(cup):
            assert isinstance(truth, MaskTruth)
            result = tracker.step(frame)
            if index in (1, 2, 3):
                pair = (result.label_image == 1) & ~truth.void, truth.mask(1)
                values.append((region_similarity(*pair), boundary_accuracy(*pair)))
            for object_id, start in ((1, 0), (3, 2)):
                if index == start:
                    tracker.add_prompt(Prompt(object_id, mask=truth.mask(object_id)))
    j, f = np.mean(values, axis=0)
    assert (done.objects[0].j, done.objects[0].f) == (pytest.approx(j), pytest.approx(f))
