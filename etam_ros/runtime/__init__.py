"""The stages of the network on the backends that can run them."""

from etam_ros.runtime.stages import (
    DecodedMasks,
    EncodedImage,
    MemoryBatch,
    ModelTraits,
    StageConstants,
    Stages,
    StageSizes,
)
from etam_ros.runtime.timed_stages import STAGE_NAMES, TimedStages

__all__ = [
    "STAGE_NAMES",
    "DecodedMasks",
    "EncodedImage",
    "MemoryBatch",
    "ModelTraits",
    "StageConstants",
    "StageSizes",
    "Stages",
    "TimedStages",
]
