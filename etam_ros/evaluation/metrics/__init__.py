"""All measures of an evaluation, and where they are defined.

| module | numbers | source |
|---|---|---|
| `regions` | J and F of one mask, IoU of boxes, centroids | Perazzi et al., CVPR 2016 |
| `series` | mean, recall, decay; occlusion; recovery; identity, of one object through a video | \
the same; Pont-Tuset et al., 2017 |
| `intervals` | bootstrap intervals over sequences, paired or not | Efron and Tibshirani, 1993 |
| `timing` | rate, latency and drops of recorded results | |

Letters: H, W height and width in pixels.
"""

from etam_ros.evaluation.metrics.regions import (
    BOUNDARY_TOLERANCE,
    boundary,
    boundary_accuracy,
    box_iou,
    region_similarity,
)

__all__ = [
    "BOUNDARY_TOLERANCE",
    "boundary",
    "boundary_accuracy",
    "box_iou",
    "region_similarity",
]
