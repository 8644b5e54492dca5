"""Settings of `etam eval`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etam_ros.config import BagConfig, NetworkConfig
from etam_ros.options import option

PROTOCOLS: Final = ("semi", "online", "offline")
_RUNS: Final = "Many videos"
_REPORTS: Final = "Reports"


@dataclass(frozen=True)
class EvaluationConfig(BagConfig, NetworkConfig):
    """Settings of an evaluation: data, prompts, network and output."""

    sources: tuple[str, ...] = option(
        (),
        "Sequences in DAVIS or YouTube-VOS layout, photographs with masks, COCO-style JSON, bags "
        "with label images, frames with --truth; or the report folder of an earlier run.",
    )
    protocol: str = option(
        "semi",
        "When objects are prompted; semi: once; online: also where the IoU drops; offline: also "
        "on the worst frame of each pass.",
        choices=PROTOCOLS,
    )
    prompt: str = option(
        "",
        "mask, box, 1-click, 3-clicks or 5-clicks on an object's first frame.",
        unset="mask; 3-clicks if corrected; 1-click on photographs",
    )
    interactions: int = option(
        8, "Largest number of frames on which an object is prompted, with online and offline.",
        minimum=1, maximum=64,
    )  # fmt: skip
    clicks: int = option(3, "Clicks on each corrected frame.", minimum=1, maximum=32)
    correct_below: float = option(
        0.75, "online corrects where the IoU is below this.", minimum=0.0, maximum=1.0
    )
    truth: str = option(
        "",
        "Ground truth of SOURCE: a folder of masks, a CSV of boxes, a COCO-style JSON, or the "
        "topic of label images in a bag.",
        unset="next to the frames",
        metavar="path",
    )
    truth_from: str = option(
        "auto",
        "Number of the first frame in --truth; auto: 0, or 1 if the numbers run from 1 to the "
        "number of frames.",
        choices=("auto", "0", "1"),
    )
    moved: str = option(
        "",
        "Move a camera over photographs: pan, tilt, roll, zoom, shake or shutter (rolling "
        "shutter), each with pixels per frame, separated by commas, as pan:2,pan:8.",
        unset="photographs are evaluated as single pictures",
    )
    moved_frames: int = option(
        18, "Frames made from each photograph with --moved.", minimum=3, maximum=10_000
    )
    sequences: str = option(
        "", "Names of the sequences to evaluate, separated by commas.", unset="all"
    )
    baseline: str = option(
        "",
        "Baselines to compare with, separated by commas: copy, flow, grabcut; for photographs "
        "grabcut, disc; or all.",
        unset="none",
    )
    no_model: bool = option(False, "Evaluate the baselines only.")
    against: str = option(
        "",
        "Bag of a run over the same frames, to be compared with what the tracker in SOURCE "
        "published.",
        unset="none",
        metavar="bag",
        panel="Bags",
    )
    tracker: str = option(
        "",
        "Name of the recorded tracker node, as /tracker.",
        unset="the only one in the bag",
        panel="Bags",
    )
    jobs: int = option(
        1, "Videos evaluated at the same time, each in a process of its own.", minimum=1,
        maximum=256, panel=_RUNS,
    )  # fmt: skip
    ray: str = option(
        "",
        "Address of a Ray cluster to run on, or local; needs the extra ray.",
        unset="none",
        panel=_RUNS,
    )
    threads: int = option(
        0,
        "Threads of each process; another number may change the last digits of the results.",
        minimum=0,
        maximum=256,
        unset="the number of processors, divided among the jobs",
        panel=_RUNS,
    )
    fresh: bool = option(
        False, "Evaluate again what --report already holds, even with other settings.", panel=_RUNS
    )
    report: str = option(
        "",
        "Folder for an HTML page, tables and all values; an interrupted run is resumed there.",
        unset="none",
        metavar="path",
        panel=_REPORTS,
    )
    compare: tuple[str, ...] = option(
        (),
        "Report folder of another run; reports the differences, and whether they are significant.",
        metavar="path",
        panel=_REPORTS,
    )
    fail_under: float = option(
        0.0,
        "Exit with code 3 if the mean J&F is below this, in percent.",
        minimum=0.0,
        maximum=100.0,
        panel=_REPORTS,
    )
    out: str = option(
        "", "JSON file for all values.", unset="none", metavar="path", panel=_REPORTS
    )
    save: str = option(
        "", "Folder for contact sheets of pictures.", unset="none", metavar="path", panel=_REPORTS
    )
