"""Whether an object is in view: what the network says of it, held against its colours.

A small network says of almost every mask that the object is there, also when the mask has slipped
onto what came over it. So for models that check colours, each followed mask is compared with what
was prompted. Where it looks like something else, the object counts as hidden: its mask is empty,
what was remembered since the prompt is dropped, and the next frames are searched by the memory of
prompted frames alone, without a mask that is carried. What they find is compared in the same way,
piece by piece, so that an object that comes back is found wherever it is.

Letters: N objects, P prompted frames, D hidden dim, h = w feature grid, G = 4h, K colours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from etam_ros.cues.frame_cues import FrameCues
from etam_ros.cues.likeness import likeness, looks_of
from etam_ros.runtime import DecodedMasks, Stages
from etam_ros.tracking.masks.clicked_piece import LEFT_OUT_LOGIT
from etam_ros.tracking.masks.selection import NO_OBJECT_LOGIT, ChosenMasks
from etam_ros.tracking.objects import ObjectTable
from etam_ros.tracking.prompt_inputs import no_points

LEAST_DROP: Final = 0.1
"""By how much likeness falls below what is usual where an object is as likely hidden as not."""
EVEN: Final = (0.7, 0.8)
"""Where that is at least and at most."""
FORGETTING: Final = 0.1
"""Share of what is usual that the newest frame makes, so that objects may turn and change."""
STEEPNESS: Final = 15.0
"""By how much the logit of presence rises with likeness, from 0 to 1."""
APART: Final = 0.15
"""Cells a frame by which a mask has to move apart from what lies around it to be seen to."""
MOVING: Final = 8.0
"""By how much the logit rises with every further cell, up to one, while that is usual for it."""
SURE: Final = 0.2
"""The network's own estimate of a mask's IoU, without which nothing is taken for found again."""
SURENESS: Final = 10.0
"""By how much the logit of presence rises with that estimate while an object is searched."""
PIECES: Final = 4
"""How many of the largest pieces are looked at while an object is searched."""
SMALLEST: Final = 6
"""Cells of a piece that can be told by its colours."""


def decode_followed(
    stages: Stages,
    conditioned: Tensor,
    carried: Tensor | None,
    hidden: Sequence[bool],
    skips: tuple[Tensor, ...],
) -> DecodedMasks:
    """Decode objects without a prompt; those that are hidden, without a carried mask.

    Args:
        stages: of the tracker.
        conditioned: (N, D, h, w).
        carried: (N, 1, G, G), or None where the model is shown none.
        hidden: N times.
        skips: of the frame.
    """
    if carried is None or not any(hidden):
        points, labels = no_points(len(conditioned), conditioned.device)
        return stages.decode_mask(conditioned, points, labels, carried, skips)
    decoded: dict[int, DecodedMasks] = {}
    for among_hidden in (False, True):
        rows = [row for row, each in enumerate(hidden) if each == among_hidden]
        if rows:
            points, labels = no_points(len(rows), conditioned.device)
            part = torch.cat([conditioned[row : row + 1] for row in rows])
            previous = None if among_hidden else torch.cat([carried[r : r + 1] for r in rows])
            found = stages.decode_mask(part, points, labels, previous, skips)
            decoded.update(zip(rows, _one_by_one(found), strict=True))
    in_order = [decoded[row] for row in range(len(hidden))]
    return DecodedMasks(
        torch.cat([each.mask_logits for each in in_order]),
        torch.cat([each.iou_scores for each in in_order]),
        torch.cat([each.pointers for each in in_order]),
        torch.cat([each.object_score_logits for each in in_order]),
    )


def _one_by_one(decoded: DecodedMasks) -> Iterator[DecodedMasks]:
    """The rows of B objects."""
    for row in range(len(decoded.mask_logits)):
        own = slice(row, row + 1)
        yield DecodedMasks(
            decoded.mask_logits[own],
            decoded.iou_scores[own],
            decoded.pointers[own],
            decoded.object_score_logits[own],
        )


def judge_presence(
    chosen: ChosenMasks, objects: ObjectTable, cues: FrameCues
) -> tuple[ChosenMasks, Tensor]:
    """Hold masks against the colours of what was prompted, and against how the objects moved.

    Args:
        chosen: of N objects.
        objects: the same, as of the frame before; what each was prompted on is in its bank.
        cues: of the frame, with colours and motion.

    Returns:
        the same with masks of NO_OBJECT_LOGIT where presence is not above 0, and presence in
        place of the object score there; the decoder's own score counts where it is lower, and
        stays in view. And what is usual from now on: (N, 2), see `TrackedObject.usual`.
    """
    assert cues.colours is not None  # a model that checks colours carries masks
    assert cues.motion is not None
    known = pad_sequence([each.bank.known_looks() for each in objects], batch_first=True)
    logits = chosen.mask_logits
    if any(tracked.hidden for tracked in objects):
        found = zip(objects, logits.split(1), known, strict=True)  # type: ignore[no-untyped-call]
        logits = torch.cat(
            [
                best_piece(own, looks, cues.colours) if tracked.hidden else own
                for tracked, own, looks in found
            ]
        )
    alike = likeness(looks_of(logits, cues.colours), known)  # (N,)
    now = torch.stack((alike, cues.motion.contrast(logits)), dim=1)  # (N, 2)
    usual = torch.stack(
        [now[row] if each.usual is None else each.usual for row, each in enumerate(objects)]
    )
    evidence = STEEPNESS * (alike - (usual[:, 0] - LEAST_DROP).clamp(*EVEN))
    moving = MOVING * (torch.minimum(now[:, 1], usual[:, 1]) - APART).clamp(0.0, 1.0)
    sure = SURENESS * (chosen.scores[:, 1] - SURE)
    presence = torch.stack(
        [
            torch.minimum(evidence[row], sure[row])
            if tracked.hidden
            else evidence[row] + moving[row]
            for row, tracked in enumerate(objects)
        ]
    ).minimum(chosen.scores[:, 0])
    gone = (presence <= 0)[:, None]  # (N, 1)
    judged = replace(
        chosen,
        mask_logits=logits.masked_fill(gone[:, :, None, None], NO_OBJECT_LOGIT),
        scores=torch.stack(
            (torch.where(gone[:, 0], presence, chosen.scores[:, 0]), chosen.scores[:, 1]), dim=1
        ),
    )
    return judged, torch.where(gone, usual, torch.lerp(usual, now, FORGETTING))


def best_piece(mask_logits: Tensor, known: Tensor, colours: Tensor) -> Tensor:
    """What of a mask looks most like an object: all of it, or one of its pieces.

    Only while something is searched, and on a GPU the host waits for the mask.

    Args:
        mask_logits: (1, 1, G, G).
        known: (P, K) looks of the object.
        colours: (1, G * G) int64 of the frame.

    Returns:
        (1, 1, G, G), the other pieces turned negative.
    """
    mask = (mask_logits[0, 0] > 0).to(torch.uint8).cpu().numpy()
    count, pieces, measures, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = measures[1:, cv2.CC_STAT_AREA]
    largest = [int(each) + 1 for each in np.argsort(-areas)[:PIECES] if areas[each] >= SMALLEST]
    if count <= 2 or not largest:  # the background, and one piece
        return mask_logits
    others = np.stack([(pieces != each) & (pieces > 0) for each in largest])[:, None]
    left_out = (-mask_logits).clamp(max=LEFT_OUT_LOGIT)
    parts = torch.where(torch.from_numpy(others).to(left_out.device), left_out, mask_logits)
    candidates = torch.cat((mask_logits, parts))
    alike = likeness(looks_of(candidates, colours), known.expand(len(candidates), -1, -1))
    best = int(alike.argmax())
    return candidates[best : best + 1]
