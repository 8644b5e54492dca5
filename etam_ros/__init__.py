"""Track whatever an operator or a detector points at, in ROS 2 and in plain Python.

from etam_ros import Frame, Prompt, Tracker, open_stages

with open_stages() as stages:
    tracker = Tracker(stages)
    tracker.step(Frame(first_image))
    tracker.add_prompt(Prompt(points=[(320, 240)], point_labels=[1]))
    result = tracker.step(Frame(second_image))
"""

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

# The generated etam_ros.msg and etam_ros.srv may live in another folder than the sources: in an
# editable install, and in tests that run from the repository root.
__path__ = extend_path(__path__, __name__)
__version__ = "0.2.0"

if TYPE_CHECKING:
    from etam_ros.config import EverythingConfig as EverythingConfig
    from etam_ros.config import HistoryConfig as HistoryConfig
    from etam_ros.config import TrackerConfig as TrackerConfig
    from etam_ros.errors import EtamError as EtamError
    from etam_ros.records import Frame as Frame
    from etam_ros.records import FrameResult as FrameResult
    from etam_ros.records import ObjectState as ObjectState
    from etam_ros.records import Prompt as Prompt
    from etam_ros.segmenting import FoundMask as FoundMask
    from etam_ros.segmenting import SegmentedObject as SegmentedObject
    from etam_ros.segmenting import Segmenter as Segmenter
    from etam_ros.segmenting import open_segmenter as open_segmenter
    from etam_ros.tracking import History as History
    from etam_ros.tracking import Tracker as Tracker
    from etam_ros.tracking import open_stages as open_stages

_HOMES = {
    "EtamError": "errors",
    "EverythingConfig": "config",
    "FoundMask": "segmenting",
    "Frame": "records",
    "FrameResult": "records",
    "History": "tracking",
    "HistoryConfig": "config",
    "ObjectState": "records",
    "Prompt": "records",
    "SegmentedObject": "segmenting",
    "Segmenter": "segmenting",
    "Tracker": "tracking",
    "TrackerConfig": "config",
    "open_segmenter": "segmenting",
    "open_stages": "tracking",
}
__all__ = sorted(_HOMES)


def __dir__() -> list[str]:
    """What is imported on first use is shown, too: by `help` and by completion."""
    return sorted({*globals(), *_HOMES})


def __getattr__(name: str) -> object:
    """Import on first use: `etam --help` and ROS tools need no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
