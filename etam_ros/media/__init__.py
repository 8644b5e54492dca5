"""Pictures and videos on disk: sources of frames, label PNGs, video files."""

# PyAV's wheel contains a libxcb of its own. If that is loaded before OpenCV, OpenCV's first
# window never opens and uses a whole core (https://github.com/opencv/opencv/issues/29195).
import cv2  # noqa: F401
