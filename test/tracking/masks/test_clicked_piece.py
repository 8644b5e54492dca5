"""Of a mask in pieces, one that was clicked on stays."""

from __future__ import annotations

import torch
from torch import Tensor

from etam_ros.tracking.masks.clicked_piece import LEFT_OUT_LOGIT, keep_clicked_piece
from etam_ros.tracking.masks.selection import NO_OBJECT_LOGIT


def bottles(*columns: int) -> Tensor:
    """(1, 1, 24, 24) logits of upright things, 4 cells wide."""
    logits = torch.full((1, 1, 24, 24), -5.0)
    for left in columns:
        logits[..., 4:20, left : left + 4] = 3.0
    return logits


def test_one_of_three_equal_things_stays() -> None:
    found = keep_clicked_piece(bottles(2, 10, 18), [(11.5, 12.0)])
    assert torch.equal(found > 0, bottles(10) > 0)
    assert float(found[..., 4:20, 2:6].max()) <= LEFT_OUT_LOGIT


def test_each_mask_goes_by_its_own_click() -> None:
    both = torch.cat((bottles(2, 10), bottles(2, 10)))
    found = keep_clicked_piece(both, [(3.0, 5.0), (12.9, 19.9)])
    assert torch.equal(found > 0, torch.cat((bottles(2), bottles(10))) > 0)


def test_pieces_that_touch_by_a_corner_are_one() -> None:
    logits = torch.full((1, 1, 24, 24), -5.0)
    logits[..., 2:8, 2:8] = logits[..., 8:12, 8:12] = 3.0
    assert torch.equal(keep_clicked_piece(logits, [(3.0, 3.0)]), logits)


def test_a_mask_beside_the_click_stays_as_it_is() -> None:
    logits = bottles(2, 18)
    assert torch.equal(keep_clicked_piece(logits, [(11.5, 12.0)]), logits)


def test_a_click_at_the_border_counts_in_the_outermost_cell() -> None:
    logits = bottles(2, 20)
    found = keep_clicked_piece(logits, [(24.0, 12.0)])
    assert torch.equal(found > 0, bottles(20) > 0)


def test_what_is_left_out_is_as_sure_as_it_was_taken_for() -> None:
    found = keep_clicked_piece(bottles(2, 10), [(11.5, 12.0)])
    assert float(found[0, 0, 12, 3]) == -3.0


def test_an_occluded_mask_stays_occluded() -> None:
    gone = torch.full((1, 1, 24, 24), NO_OBJECT_LOGIT)
    assert torch.equal(keep_clicked_piece(gone, [(3.0, 3.0)]), gone)


def test_gradients_pass_where_the_mask_stays() -> None:
    logits = bottles(2, 10).requires_grad_()
    keep_clicked_piece(logits, [(11.5, 12.0)]).sum().backward()
    assert logits.grad is not None
    assert float(logits.grad[0, 0, 12, 11]) == 1.0
    assert float(logits.grad[0, 0, 12, 3]) == 0.0
