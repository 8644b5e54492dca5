"""Single pictures: masks by clicks and boxes and of everything, from every model."""

from etam_ros.segmenting.answers import SegmentedObject
from etam_ros.segmenting.everything.found_masks import FoundMask
from etam_ros.segmenting.segmenter import Segmenter, open_segmenter

__all__ = ["FoundMask", "SegmentedObject", "Segmenter", "open_segmenter"]
