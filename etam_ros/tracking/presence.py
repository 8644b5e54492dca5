"""Whether an object is in view: the network's answer, checked against the object's colours.

A small network reports almost every object as present, even if the mask has slipped onto the thing
that covers it. So for models that check colours, each tracked mask is compared with the prompted
frames. If it looks like something else, the object counts as hidden: its mask is empty, memories
since the prompt are dropped, and the next frames are searched with the memory of prompted frames
only, without a carried mask. The masks found there are compared in the same way, piece by piece,
so that an object that reappears is found wherever it is.

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
"""Drop of likeness below the usual at which an object is hidden with a probability of one half."""
EVEN: Final = (0.7, 0.8)
"""Lower and upper limit of the likeness at that point."""
FORGETTING: Final = 0.1
"""Weight of the newest frame in the running averages, which lets objects turn and change."""
STEEPNESS: Final = 15.0
"""Increase of the presence logit as likeness goes from 0 to 1."""
APART: Final = 0.15
"""Motion relative to the surroundings that counts as motion of its own, in cells per frame."""
MOVING: Final = 8.0
"""Increase of the logit per further cell, up to one, if such motion is usual for the object."""
SURE: Final = 0.2
"""Minimum of the network's IoU estimate for a hidden object to count as found again."""
SURENESS: Final = 10.0
"""Increase of the presence logit with that estimate, while an object is searched for."""
PIECES: Final = 4
"""How many of the largest pieces are examined while an object is searched for."""
SMALLEST: Final = 6
"""Minimum size of a piece, in cells, whose colours can be compared."""


def decode_followed(
    stages: Stages,
    conditioned: Tensor,
    carried: Tensor | None,
    hidden: Sequence[bool],
    skips: tuple[Tensor, ...],
) -> DecodedMasks:
    """Decode objects without a prompt; hidden ones are decoded without a carried mask.

    Args:
        stages: of the tracker.
        conditioned: (N, D, h, w).
        carried: (N, 1, G, G), or None if the model carries no masks.
        hidden: N flags.
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
    """The results of B objects, decoded one at a time."""
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
    """Compare masks with the colours of the prompted frames, and with the objects' usual motion.

    Args:
        chosen: masks of N objects.
        objects: the same objects on the previous frame; the prompted frames are in their banks.
        cues: of the frame, with colours and motion.

    Returns:
        the masks, with NO_OBJECT_LOGIT and the presence logit as the object score where that logit
        is not above 0; the decoder's score is used if it is lower, and kept for visible objects.
        Also the updated averages (N, 2), see `TrackedObject.usual`.
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
    """The part of a mask that looks most like an object: all of it, or one of its pieces.

    Used only while an object is searched for; on a GPU the host waits for the mask.

    Args:
        mask_logits: (1, 1, G, G).
        known: (P, K) colours of the object on its prompted frames.
        colours: (1, G * G) int64 of the frame.

    Returns:
        (1, 1, G, G), with the logits of other pieces made negative.
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
