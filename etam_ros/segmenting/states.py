"""Masks of single pictures as what is known of a tracked object, for tables and messages."""

from __future__ import annotations

import math

import torch

from etam_ros.records import ObjectState
from etam_ros.tracking.masks.measures import NOWHERE, MeasuredMask
from etam_ros.tracking.masks.pieces import pieces_of
from etam_ros.tracking.objects import sigmoid


def state_of(
    whole: MeasuredMask,
    *,
    object_id: int,
    iou_score: float,
    label: str = "",
    object_score_logit: float | None = None,
    stamp_ns: int = 0,
) -> ObjectState:
    """The state of an object that was seen on one picture alone.

    Args:
        whole: its mask.
        object_id: 0 where it is not followed.
        iou_score: the model's own estimate.
        label: its name.
        object_score_logit: presence; None where nobody judges it, and visibility is NaN then.
        stamp_ns: of the picture.

    Returns:
        the state, whose logits and pointer are empty.
    """
    pieces = pieces_of(whole, NOWHERE)
    logit = object_score_logit
    return ObjectState(
        object_id=object_id,
        label=label,
        occluded=whole.area == 0,
        visibility=math.nan if logit is None else sigmoid(logit),
        iou_score=iou_score,
        area=whole.area,
        box=pieces.main.box,
        centroid=pieces.main.centroid,
        mask=whole.mask,
        extent=whole.box,
        measured=pieces.main.mask,
        time_since_seen_ns=0,
        object_score_logit=math.nan if logit is None else logit,
        mask_logits=torch.empty(0, 0),
        pointer=torch.empty(0),
        stamp_ns=stamp_ns,
        pieces=pieces.count,
        main_piece_share=pieces.main.area / whole.area if whole.area else 0.0,
    )
