"""Report on the comparison of two recorded runs: numbers, tables and a page.

FOLDER/report.json              the same as --out
FOLDER/objects.csv, frames.csv  a row for each object, and for each object and frame
FOLDER/index.html               the page
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.drawing.contact_sheet import thumbnail
from etam_ros.errors import SourceError
from etam_ros.evaluation.kept import Thinned, Worst
from etam_ros.evaluation.metrics.series import Judgement
from etam_ros.evaluation.recorded import RecordedAgreement
from etam_ros.evaluation.report.charts import chart_of
from etam_ros.evaluation.report.summary import frames_table, objects_table
from etam_ros.evaluation.report.templates import data_uri, render
from etam_ros.evaluation.result_sheets import draw_result, encode_jpeg
from etam_ros.evaluation.runs.one_video import object_as_json
from etam_ros.evaluation.runs.pictures import FRAMES_APART, PLAYER_FRAMES, WORST_FRAMES
from etam_ros.media.files import read_json, writing
from etam_ros.media.result_kind import ResultKind, holds_results
from etam_ros.media.sources import open_source
from etam_ros.runtime.atomic import write_file

KIND: Final = "agreement"
_WIDTH: Final = 320
_MOST_SHOWN: Final = 12
_NOTHING: Final = (64, 66, 72)
"""Colour of the picture where no camera image was recorded."""

Labels = NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class _KeptFrame:
    """A small picture of a frame, with the results of both runs."""

    index: int
    stamp_ns: int
    expected: Labels
    found: Labels


class PairPictures:
    """Selects label images of both runs while they are read: some, and the worst of objects."""

    def __init__(self) -> None:
        self._some: Thinned[_KeptFrame] = Thinned(PLAYER_FRAMES)
        self._worst: dict[int, Worst[tuple[Judgement, _KeptFrame]]] = {}

    def see(
        self,
        index: int,
        stamp_ns: int,
        labels: tuple[Labels, Labels],
        judged: Mapping[int, Judgement],
    ) -> None:
        """Offer a frame that both runs have.

        Args:
            index: of the frame among these.
            labels: (H, W) object ids of the recorded and of the other run.
            judged: results by object.
        """
        kept = _KeptFrame(index, stamp_ns, _small(labels[0]), _small(labels[1]))
        self._some.offer(index, lambda: kept)
        for object_id, each in judged.items():
            worst = self._worst.setdefault(object_id, Worst(WORST_FRAMES, FRAMES_APART))
            worst.offer(index, each.j_and_f, _making((each, kept)))

    @property
    def player(self) -> list[_KeptFrame]:
        """Evenly spaced frames."""
        return [kept for _, kept in self._some.frames]

    @property
    def worst(self) -> list[tuple[int, Judgement, _KeptFrame]]:
        """Object, result and frame, the worst first."""
        every = [
            (number, *kept) for number, found in self._worst.items() for *_, kept in found.frames
        ]
        return sorted(every, key=lambda each: (each[1].j_and_f, each[0]))[:_MOST_SHOWN]


def _is_agreement(folder: Path) -> bool:
    """Whether a folder is an earlier report of this kind."""
    try:
        return bool(read_json(folder / "report.json").get("kind") == KIND)
    except (OSError, ValueError, AttributeError):
        return False


AGREEMENT: Final = ResultKind(
    "eval",
    ("report.json", "objects.csv", "frames.csv", "index.html"),
    option="--report",
    is_older=_is_agreement,
)


def check_folder(folder: Path) -> None:
    """Raise SourceError unless a folder is new, empty, or an earlier report of this kind."""
    if holds_results(folder, AGREEMENT) and not _is_agreement(folder):
        raise SourceError(
            f"--report {folder} holds something other than a comparison of recorded runs, "
            "expected a new or empty folder, or that of an earlier one: choose another"
        )


def write_agreement(
    folder: Path, found: RecordedAgreement, pictures: PairPictures, about: Mapping[str, Any]
) -> None:
    """Write report.json, the tables and index.html.

    Args:
        folder: created if missing; see `check_folder`.
        about: `recorded` and `rerun`, names of the bags, and `topic` and `recover`, for the camera
            in the first.

    Raises:
        SourceError: something cannot be written.
    """
    objects = [object_as_json(each) for each in found.objects]
    name = Path(about["recorded"]).name
    results = [{"video": name, "methods": {Path(about["rerun"]).name: {"objects": objects}}}]
    files = {
        "report.json": json.dumps({"kind": KIND, **found.as_json()}, indent=1) + "\n",
        "objects.csv": objects_table(results),
        "frames.csv": frames_table(results),
        "index.html": _page(found, objects, pictures, about),
    }
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            write_file(folder / file, text.encode("utf-8", "replace"))


def _page(
    found: RecordedAgreement,
    objects: list[dict[str, Any]],
    pictures: PairPictures,
    about: Mapping[str, Any],
) -> str:
    player, worst = pictures.player, pictures.worst
    stamps = {each.stamp_ns for each in player} | {each.stamp_ns for *_, each in worst}
    camera = _camera(Path(about["recorded"]), stamps, about["topic"], about["recover"])

    def drawn(frame: _KeptFrame, filled: Labels, lines: Labels | None = None) -> str:
        picture = camera.get(frame.stamp_ns)
        if picture is None:
            picture = np.full((*filled.shape, 3), _NOTHING, np.uint8)
        none = np.zeros_like(filled)
        return data_uri(
            encode_jpeg(draw_result(picture, filled, none if lines is None else lines))
        )

    return render(
        "agreement.html.j2",
        found=found,
        objects=objects,
        about=about,
        chart=chart_of({"objects": objects}, found.shared),
        player=[(each.index, drawn(each, each.found, each.expected)) for each in player],
        worst=[
            {
                "object_id": number,
                "frame": frame.index,
                "j": judged.j,
                "f": judged.f,
                "found": drawn(frame, frame.found),
                "truth": drawn(frame, frame.expected),
            }
            for number, judged, frame in worst
        ],
        timing={"recorded": found.timing[0], "other run": found.timing[1]},
    )


def _camera(
    bag: Path, stamps: set[int], topic: str, recover: bool
) -> dict[int, NDArray[np.uint8]]:
    """Small camera images with these stamps, if the bag contains them."""
    found: dict[int, NDArray[np.uint8]] = {}
    with (
        suppress(SourceError),  # the bag has results only, or several cameras
        open_source(bag, topic=topic, recover=recover) as frames,
    ):
        for frame in frames:
            if frame.stamp_ns in stamps:
                found[frame.stamp_ns] = thumbnail(frame.image, width=_WIDTH)
            if len(found) == len(stamps):
                break
    return found


def _small(labels: Labels) -> Labels:
    height = max(1, round(_WIDTH * labels.shape[0] / labels.shape[1]))
    small = cv2.resize(labels, (_WIDTH, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(small, np.uint16)


def _making(kept: tuple[Judgement, _KeptFrame]) -> Callable[[], tuple[Judgement, _KeptFrame]]:
    return lambda: kept
