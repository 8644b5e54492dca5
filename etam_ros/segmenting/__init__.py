"""Single pictures: masks by clicks and boxes, from every model, without memory."""

from etam_ros.segmenting.answers import SegmentedObject
from etam_ros.segmenting.segmenter import Segmenter, open_segmenter

__all__ = ["SegmentedObject", "Segmenter", "open_segmenter"]
