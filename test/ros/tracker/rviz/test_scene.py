"""From a frame to markers, and from a point in space to a pixel, for lenses of every kind."""

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import Point
from std_msgs.msg import Header
from torch import zeros

from etam_ros.drawing.palette import object_colour
from etam_ros.errors import PromptError
from etam_ros.records import FrameResult, ObjectState
from etam_ros.ros.camera_model import CameraModel
from etam_ros.ros.tracker.rviz.scene import MarkerScene, Pane
from etam_ros.ros.tracker.rviz.shapes import (
    COLUMNS,
    MARK_DEPTH,
    PANE_DEPTH,
    ROWS,
    mark_title,
    pane_triangles,
)

HW = (360, 640)
FRAME = "camera_optical_frame"
MATRIX = np.array([[420.0, 0, 310], [0, 430.0, 185], [0, 0, 1]])
MODELS = {
    "assumed": CameraModel.assumed(HW),
    "plumb_bob": CameraModel(HW, MATRIX, np.array([-0.25, 0.06, 0.001, -0.002, 0.0])),
    "rational": CameraModel(
        HW, MATRIX, np.array([0.4, 0.1, 0.0005, -0.0003, 0.02, 0.7, 0.2, 0.05])
    ),
    "fisheye": CameraModel(HW, MATRIX, np.array([-0.02, 0.01, -0.004, 0.001]), fisheye=True),
}


def state(object_id, centroid=(100.0, 50.0), label="", occluded=False):
    return ObjectState(
        object_id,
        label,
        occluded,
        visibility=0.9,
        iou_score=0.9,
        area=4,
        box=(99, 49, 101, 51),
        centroid=centroid,
        mask=np.ones((2, 2), bool),
        extent=(99, 49, 101, 51),
        measured=np.ones((2, 2), bool),
        time_since_seen_ns=0,
        object_score_logit=1.0,
        mask_logits=zeros(1, 1),
        pointer=zeros(1),
    )


def scene_of(*states, model="assumed", frame_id=FRAME, distance_m=1.0):
    result = FrameResult(1, 7, frame_id, HW, states, np.zeros(HW, np.uint16))
    return MarkerScene(result, Header(), Pane.of(MODELS[model], frame_id, distance_m))


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


def test_every_pixel_of_the_picture_is_on_the_pane_and_nothing_else(model):
    height, width = HW
    triangles = pane_triangles(model, 2.0)
    assert triangles.shape == (2 * ROWS * COLUMNS, 3, 3)
    assert np.allclose(triangles[..., 2], 2.0 * PANE_DEPTH)
    drawn = np.zeros((1200, 2400), np.uint8)  # the pane, seen without distortion

    def on_drawing(rays):
        return (rays[..., :2] / rays[..., 2:]) * 250 + (1200, 600)

    for corners in on_drawing(triangles):
        cv2.fillConvexPoly(drawn, np.round(corners).astype(np.int32), 1)
    x, y = np.meshgrid(np.arange(0, width, 7), np.arange(0, height, 7))
    inside = on_drawing(model.rays(np.stack([x, y], axis=-1).reshape(-1, 2)))
    columns, rows = np.round(inside).astype(int).T
    assert drawn[rows, columns].all()
    step = 4 * max(HW) / 250  # of the drawing, in pixels of the picture, where it is coarsest
    drawn_rows, drawn_columns = np.nonzero(drawn)
    points = np.stack([drawn_columns - 1200, drawn_rows - 600], axis=-1) / 250
    pixels = model.project(np.concatenate([points, np.ones((len(points), 1))], axis=1)[::50])
    assert (pixels > -0.5 - step).all()
    assert (pixels < np.array([width, height]) - 0.5 + step).all()


@pytest.mark.parametrize("depth", [PANE_DEPTH, 0.98, 1.0, 3.0])
def test_a_click_gives_back_its_pixel_however_near_it_was_taken(model, depth):
    name = next(name for name in MODELS if MODELS[name] is model)
    scene = scene_of(model=name)
    for pixel in ((0, 0), (639, 359), (320, 180), (600.5, 20.25), (5, 355)):
        x, y, z = (model.rays(np.array([pixel], float))[0] * depth).tolist()
        assert scene.pixel(Point(x=x, y=y, z=z), FRAME) == pytest.approx(pixel, abs=0.02)


@pytest.mark.parametrize(
    ("point", "frame_id", "words"),
    [
        ((0.0, 0.0, 1.0), "map", "click is in frame 'map', expected 'camera_optical_frame'"),
        ((0.0, 0.0, 1.0), "", "click is in frame ''"),
        ((0.0, 0.0, 0.0), FRAME, "expected a point in front of the camera"),
        ((float("inf"), 0.0, 1.0), FRAME, "expected a point in front of the camera"),
        ((0.0, float("nan"), 1.0), FRAME, "expected a point in front of the camera"),
        ((0.6, 0.0, 1.0), FRAME, "expected one in the frame of 640 x 360"),
        ((1e308, 0.0, 1e-308), FRAME, "expected one in the frame of 640 x 360"),
    ],
)
def test_a_point_that_is_no_pixel_is_refused(point, frame_id, words):
    x, y, z = point
    with pytest.raises(PromptError, match=words):
        scene_of().pixel(Point(x=x, y=y, z=z), frame_id)


def test_visible_objects_have_a_mark_on_their_centroid_in_their_colour(model):
    name = next(name for name in MODELS if MODELS[name] is model)
    scene = scene_of(
        state(1), state(2, (500.0, 300.0), "cup"), state(3, occluded=True), model=name
    )
    _, one, other = markers = scene.markers()
    assert [marker.name for marker in markers] == ["picture", "object_1", "object_2"]
    for marker, centroid in ((one, (100, 50)), (other, (500, 300))):
        assert marker.position[2] == pytest.approx(MARK_DEPTH)
        assert model.project(np.array([marker.position]))[0] == pytest.approx(centroid, abs=0.02)
    disc, text = other.make().controls[0].markers
    assert text.text == "2 cup"
    colour = (disc.color.r, disc.color.g, disc.color.b)
    assert tuple(round(255 * value) for value in colour) == object_colour(2)
    assert scene.object_of("object_2").object_id == 2
    assert scene.object_of("picture") is None
    with pytest.raises(
        PromptError, match=r"no marker 'object_3' .* one of: picture, object_1, obj"
    ):
        scene.object_of("object_3")


def test_a_mark_is_the_same_until_its_object_moves_or_is_renamed():
    def mark(*args):
        return scene_of(state(1, *args)).markers()[1]

    first = mark((100.0, 50.0))
    assert mark((100.1, 49.9)) == first
    assert mark((100.6, 50.0)) != first
    assert mark((100.6, 50.0)).looks_like(first)
    assert not mark((100.0, 50.0), "cup").looks_like(first)


def test_sizes_go_with_the_picture():
    near, far = (scene_of(state(1), distance_m=d).markers()[1] for d in (1.0, 10.0))
    assert far.make().controls[0].markers[0].scale.x == pytest.approx(
        10 * near.make().controls[0].markers[0].scale.x
    )


def test_a_pane_fits_while_nothing_of_it_changes():
    pane = Pane.of(MODELS["plumb_bob"], FRAME, 1.0)
    same = CameraModel(HW, MATRIX.copy(), MODELS["plumb_bob"].distortion.copy())
    assert pane.fits(same, FRAME, 1.0)
    assert not pane.fits(same, "other", 1.0)
    assert not pane.fits(same, FRAME, 1.1)
    assert not pane.fits(MODELS["fisheye"], FRAME, 1.0)
    assert not pane.fits(CameraModel((720, 1280), MATRIX, same.distortion), FRAME, 1.0)


def test_a_lens_without_known_directions_has_no_pane_and_no_marks():
    """RViz would end on a mesh without triangles, and give up on marks that are no numbers."""
    mad = CameraModel(HW, MATRIX, np.array([1e200, 1e200, 0.0, 0.0, 0.0]))
    result = FrameResult(1, 7, FRAME, HW, (state(1),), np.zeros(HW, np.uint16))
    scene = MarkerScene(result, Header(), Pane.of(mad, FRAME, 1.0))
    assert scene.markers() == []
    with pytest.raises(PromptError, match="expected one of: none"):
        scene.object_of("picture")


def test_what_a_lens_sees_beside_and_behind_itself_is_left_out_of_the_pane():
    wide = CameraModel(
        HW, np.array([[180.0, 0, 319.5], [0, 180.0, 179.5], [0, 0, 1]]), np.zeros(4), fisheye=True
    )  # 204 degrees
    triangles = pane_triangles(wide, 1.0)
    assert 0 < len(triangles) < 2 * ROWS * COLUMNS
    pixels = wide.project(triangles.reshape(-1, 3))
    assert (pixels > -1).all()
    assert (pixels < (640, 360)).all()
    scene = MarkerScene(
        FrameResult(1, 7, FRAME, HW, (state(1), state(2, (1.0, 180.0))), np.zeros(HW, np.uint16)),
        Header(),
        Pane.of(wide, FRAME, 1.0),
    )
    assert [marker.name for marker in scene.markers()] == ["picture", "object_1"]


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("", "5"),
        ("cup", "5 cup"),
        ("a\nb\tc", "5 a b c"),
        ("x" * 99, "5 " + "x" * 24),
        ("  ", "5"),
    ],
)
def test_titles_stay_on_one_short_line(label, title):
    assert mark_title(5, label) == title
