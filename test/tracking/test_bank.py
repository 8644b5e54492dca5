"""Which memories a frame reads, and that a stream of any length keeps few."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etam_ros import TrackerConfig
from etam_ros.runtime import StageSizes
from etam_ros.tracking.bank import BankView, Memory, MemoryBank, pack

SIZES = StageSizes(image_size=64, grid=4, hidden_dim=4, memory_dim=2, memory_frames=7)
UNLIMITED = TrackerConfig(conditioning_memories=0)


def memory(frame: int) -> Memory:
    """A memory that tells which frame it is of."""
    return Memory(torch.full((2, 4, 4), float(frame)), torch.full((4,), float(frame)))


def filled(frames: int, conditioning: set[int], config: TrackerConfig) -> MemoryBank:
    bank = MemoryBank()
    for frame in range(frames):
        bank = bank.with_recent(frame, memory(frame), config)
        if frame in conditioning:
            bank = bank.with_conditioning(frame, memory(frame), config)
    return bank


def read(view: BankView) -> list[tuple[int, int]]:
    """(frame, temporal index) of every memory read."""
    frames = [int(feature[0, 0, 0]) for feature in view.features]
    return list(zip(frames, view.temporal_index, strict=True))


def test_a_full_bank_is_one_conditioning_six_recent_and_sixteen_pointers() -> None:
    view = filled(30, {0}, UNLIMITED).view(30, SIZES, UNLIMITED)
    assert read(view) == [(0, 6), *((frame, 29 - frame) for frame in range(24, 30))]
    assert [int(pointer[0]) for pointer in view.pointers] == [0, *range(29, 14, -1)]


def test_conditioning_frames_are_never_evicted_without_a_limit() -> None:
    config = UNLIMITED
    view = filled(100, set(range(0, 100, 10)), config).view(100, SIZES, config)
    assert [frame for frame, index in read(view) if index == 6] == list(range(0, 100, 10))


def test_with_a_limit_the_first_the_nearest_and_the_closest_stay() -> None:
    config = TrackerConfig(conditioning_memories=4)
    bank = filled(100, set(range(0, 100, 10)), config)
    assert sorted(bank.conditioning) == [0, 70, 80, 90]


def test_a_demoted_conditioning_frame_is_read_as_an_ordinary_one() -> None:
    config = TrackerConfig(conditioning_memories=2)
    bank = filled(4, {0, 1, 3}, config)
    assert sorted(bank.conditioning) == [0, 3]
    assert read(bank.view(4, SIZES, config)) == [(0, 6), (3, 6), (1, 2), (2, 1)]


def test_a_missing_frame_is_skipped_never_replaced() -> None:
    bank = MemoryBank().with_conditioning(3, memory(3), UNLIMITED)
    bank = bank.with_recent(5, memory(5), UNLIMITED)
    assert read(bank.view(7, SIZES, UNLIMITED)) == [(3, 6), (5, 1)]


def test_a_model_with_fewer_temporal_positions_reads_fewer() -> None:
    sizes = StageSizes(64, 4, 4, 2, memory_frames=4)
    view = filled(20, {0}, UNLIMITED).view(20, sizes, UNLIMITED)
    assert read(view) == [(0, 3), (17, 2), (18, 1), (19, 0)]


def test_clearing_recent_memories_keeps_conditioning_frames() -> None:
    bank = filled(20, {0, 15}, UNLIMITED).without_recent()
    view = bank.view(20, SIZES, UNLIMITED)
    assert read(view) == [(0, 6), (15, 6)]
    assert len(view.pointers) == 2


def test_a_bank_stays_as_it_is_whatever_is_made_of_it() -> None:
    config = TrackerConfig(conditioning_memories=2)
    bank = filled(9, {0, 3, 5}, config)
    before = read(bank.view(9, SIZES, config))
    bank.with_recent(9, memory(9), config)
    bank.with_conditioning(8, memory(8), config)
    bank.without_recent()
    assert read(bank.view(9, SIZES, config)) == before


@settings(deadline=None)
@given(
    prompted=st.sets(st.integers(0, 199), max_size=60),
    conditioning=st.integers(1, 6),
    recent=st.integers(0, 6),
)
def test_the_bank_is_bounded_whatever_happens(
    prompted: set[int], conditioning: int, recent: int
) -> None:
    config = TrackerConfig(conditioning_memories=conditioning, recent_memories=recent)
    bank = filled(200, prompted | {0}, config)
    view = bank.view(200, SIZES, config)
    assert min(bank.conditioning) == 0
    assert len(bank.conditioning) <= conditioning
    assert len(bank.recent) <= recent
    assert len(view.features) <= conditioning + recent
    assert len(view.pointers) <= conditioning + config.recent_pointers


def test_packing_pads_and_marks_but_never_duplicates() -> None:
    views = [filled(n, {0}, UNLIMITED).view(n, SIZES, UNLIMITED) for n in (3, 1)]
    batch = pack(views, SIZES, torch.device("cpu"))
    assert batch.memories.shape == (2, 3, 2, 4, 4)
    assert batch.temporal_index.tolist() == [[6, 1, 0], [6, -1, -1]]
    assert batch.pointer_count.tolist() == [3, 1]
    assert batch.lengths == ((3, 3), (1, 1))
    assert not batch.memories[1, 1:].any()
    assert batch.pointer_ages is None


def test_pointers_have_their_true_age_conditioning_ones_too() -> None:
    views = [filled(300, {0}, UNLIMITED).view(300, SIZES, UNLIMITED)]
    views.append(filled(2, {0}, UNLIMITED).view(2, SIZES, UNLIMITED))
    ages = pack(views, SIZES, torch.device("cpu"), timed=True).pointer_ages
    assert ages is not None
    assert ages.tolist() == [[300, *range(1, 16)], [2, 1, *[0] * 14]]
    assert ages.dtype == torch.float32
