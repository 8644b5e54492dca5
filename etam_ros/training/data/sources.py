"""Where a run's clips come from: what `--data` names, or nothing but imagination."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from etam_ros.synthetic.samples import ClipSource, MixedSource


def training_source(data: Sequence[Path]) -> ClipSource:
    """The clips of everything that is named; procedural ones where nothing is.

    Raises:
        SourceError: something cannot be read, or is nothing to train on.
    """
    if data:
        from etam_ros.training.data.datasets import open_data

        return open_data(data)
    from etam_ros.synthetic.collage import CollageSource
    from etam_ros.synthetic.collage.scene_source import SceneSource

    return MixedSource([(CollageSource(None), 0.9), (SceneSource(), 0.1)])
