"""Clips put together from photographs, footage and drawn things, fast enough to train on."""

from etam_ros.synthetic.collage.source import CollageSource

__all__ = ["CollageSource"]
