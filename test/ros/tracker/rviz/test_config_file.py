"""config/tracker.rviz: what RViz 2 knows, what our node has, and other names in their place."""

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

import etam_ros
from etam_ros.paths import share_file
from etam_ros.ros.player.node import FRAME_ID as PLAYED_FRAME
from etam_ros.ros.tracker.rviz.click_markers import NAMESPACE
from etam_ros.ros.tracker.rviz.config_file import FIXED_FRAME, NODE, absolute, with_names
from etam_ros.ros.tracker.rviz.scene import UNNAMED_FRAME

TEXT = share_file("config/tracker.rviz").read_text(encoding="utf-8")
MANAGER = yaml.safe_load(TEXT)["Visualization Manager"]
PLUGINS = "rviz_default_plugins/"
DISPLAY = {"Class", "Name", "Enabled", "Value"}
QOS = {"Depth", "Durability Policy", "History Policy", "Reliability Policy", "Value"}
KNOWN = {  # the properties that RViz 2's sources give each class
    "Image": {*DISPLAY, "Topic", "Normalize Range", "Min Value", "Max Value", "Median window"},
    "PointCloud2": {
        *DISPLAY, "Topic", "Selectable", "Style", "Size (m)", "Size (Pixels)", "Alpha",
        "Decay Time", "Position Transformer", "Color Transformer",
    },
    "MarkerArray": {*DISPLAY, "Topic", "Namespaces"},
    "InteractiveMarkers": {
        *DISPLAY, "Interactive Markers Namespace", "Show Descriptions", "Show Axes",
        "Show Visual Aids", "Enable Transparency",
    },
    "Interact": {"Class", "Hide Inactive Objects"},
    "MoveCamera": {"Class"},
    "FocusCamera": {"Class"},
    "PublishPoint": {"Class", "Single click", "Topic"},
    "Orbit": {
        "Class", "Name", "Value", "Target Frame", "Near Clip Distance", "Distance", "Yaw", "Pitch",
        "Focal Point",
    },
}  # fmt: skip


def of_class(items, name):
    (found,) = [item for item in items if item["Class"] == PLUGINS + name]
    return found


def test_every_class_and_property_is_one_that_rviz_has():
    current = MANAGER["Views"]["Current"]
    for item in [*MANAGER["Displays"], *MANAGER["Tools"], current]:
        assert item["Class"].startswith(PLUGINS)
        assert set(item) <= KNOWN[item["Class"].removeprefix(PLUGINS)]
        topic = item.get("Topic", {})
        assert set(topic) <= (QOS | {"Filter size"} if "PointCloud2" in item["Class"] else QOS)
        assert topic.get("Reliability Policy", "Reliable") == "Reliable"
        assert topic.get("Durability Policy", "Volatile") == "Volatile"


def test_every_topic_and_frame_is_one_that_our_node_has():
    topics = {item["Topic"]["Value"] for item in MANAGER["Displays"] if "Topic" in item}
    topics.add(
        of_class(MANAGER["Displays"], "InteractiveMarkers")["Interactive Markers Namespace"]
    )
    sources = "".join(
        path.read_text() for path in Path(etam_ros.__file__).parent.glob("ros/**/*.py")
    )
    names = {topic.replace(NODE, "~") for topic in topics}
    assert {"~/overlay", "~/click_plane", "~/markers", NAMESPACE} == names
    assert [name for name in names if f'"{name}"' not in sources] == []
    assert MANAGER["Global Options"]["Fixed Frame"] == FIXED_FRAME == UNNAMED_FRAME
    assert PLAYED_FRAME == FIXED_FRAME


def test_the_tool_to_begin_with_is_interact_and_publish_point_stays_chosen():
    assert MANAGER["Tools"][0]["Class"] == PLUGINS + "Interact"
    point = of_class(MANAGER["Tools"], "PublishPoint")
    assert point["Single click"] is False
    assert point["Topic"]["Value"] == "/clicked_point"


def test_the_view_is_from_the_cameras_place_along_its_axis():
    view = MANAGER["Views"]["Current"]
    assert view["Class"] == PLUGINS + "Orbit"
    yaw, pitch, distance = view["Yaw"], view["Pitch"], view["Distance"]
    focal = np.array([view["Focal Point"][axis] for axis in "XYZ"], float)
    away = np.array(
        [np.cos(yaw) * np.cos(pitch), np.sin(yaw) * np.cos(pitch), np.sin(pitch)]
    )  # as the view turns about its focal point, z up
    eye = focal + distance * away
    assert np.allclose(eye, (0, 0, 0.1), atol=0.002)


def test_other_names_are_put_in_their_place_and_nothing_else():
    names = {
        "/tracker": "/front/eye",
        "/tracker/overlay": "/show",
        "/tracker/markers": "/spheres",
        FIXED_FRAME: "front_optical",
        "/clicked_point": "/front/clicked_point",
    }
    changed = yaml.safe_load(with_names(TEXT, names))["Visualization Manager"]
    displays = changed["Displays"]
    assert of_class(displays, "Image")["Topic"]["Value"] == "/show"
    assert of_class(displays, "PointCloud2")["Topic"]["Value"] == "/front/eye/click_plane"
    assert of_class(displays, "MarkerArray")["Topic"]["Value"] == "/spheres"
    markers = of_class(displays, "InteractiveMarkers")
    assert markers["Interactive Markers Namespace"] == "/front/eye/clicks"
    assert changed["Global Options"]["Fixed Frame"] == "front_optical"
    point = of_class(changed["Tools"], "PublishPoint")["Topic"]["Value"]
    assert point == "/front/clicked_point"
    same = {name: name for name in names}
    assert with_names(TEXT, same) == with_names(TEXT, {}) == TEXT
    assert with_names("a: /tracker_2\nb: /tracker\n", names) == "a: /tracker_2\nb: /front/eye\n"


@pytest.mark.parametrize(
    ("name", "namespace", "full"),
    [
        ("~", "", "/eye"),
        ("~/overlay", "", "/eye/overlay"),
        ("~/overlay", "front", "/front/eye/overlay"),
        ("~/overlay", "/front/", "/front/eye/overlay"),
        ("show", "front", "/front/show"),
        ("/show", "front", "/show"),
    ],
)
def test_names_become_absolute_as_in_ros(name, namespace, full):
    assert absolute(name, namespace, "eye") == full


def test_comments_keep_the_names_of_the_file():
    assert re.search(r"^# .*/tracker", with_names(TEXT, {NODE: "/eye"}), re.MULTILINE)
