"""What `etam eval` is told."""

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
    """What is judged, how it is prompted, on what it runs, and what is left of it."""

    sources: tuple[str, ...] = option(
        (),
        "Sequences in DAVIS or YouTube-VOS layout, photographs with masks, COCO-style JSON, bags "
        "with label images, frames with --truth; or the report folder of an earlier run.",
    )
    protocol: str = option(
        "semi",
        "When objects are prompted; semi: once; online: also where the IoU falls; offline: also "
        "on the worst frame of each pass.",
        choices=PROTOCOLS,
    )
    prompt: str = option(
        "",
        "mask, box, 1-click, 3-clicks or 5-clicks on an object's first frame.",
        unset="mask; 3-clicks if corrected; 1-click on photographs",
    )
    interactions: int = option(
        8, "Frames at most on which an object gets prompts, online and offline.",
        minimum=1, maximum=64,
    )  # fmt: skip
    clicks: int = option(3, "Clicks on each frame that is corrected.", minimum=1, maximum=32)
    correct_below: float = option(
        0.75, "Online corrects where the IoU is under this.", minimum=0.0, maximum=1.0
    )
    truth: str = option(
        "",
        "Ground truth of SOURCE: a folder of masks, a CSV of boxes, a COCO-style JSON, or the "
        "topic of label images in a bag.",
        unset="beside the frames",
        metavar="path",
    )
    truth_from: str = option(
        "auto",
        "Number of the first frame in --truth; auto: 0, and 1 where it numbers as many frames as "
        "there are from 1 on.",
        choices=("auto", "0", "1"),
    )
    moved: str = option(
        "",
        "Move a camera over photographs: pan, tilt, roll, zoom, shake or shutter (of lines read "
        "one after the other), each with pixels a frame, comma-separated, as pan:2,pan:8.",
        unset="photographs stay photographs",
    )
    moved_frames: int = option(
        18, "Frames of each photograph that is moved over.", minimum=3, maximum=10_000
    )
    sequences: str = option("", "Names, comma-separated.", unset="all of them")
    baseline: str = option(
        "",
        "To compare with, comma-separated: copy, flow, grabcut; grabcut, disc for photographs; or "
        "all.",
        unset="none",
    )
    no_model: bool = option(False, "Judge baselines alone.")
    against: str = option(
        "",
        "Bag of a run over the same frames, held against what the tracker in SOURCE published.",
        unset="none",
        metavar="bag",
        panel="Bags",
    )
    tracker: str = option(
        "",
        "Name of the node whose results are meant, as /tracker.",
        unset="the only one of the bag",
        panel="Bags",
    )
    jobs: int = option(
        1, "Videos judged at the same time, each in a process of its own.", minimum=1,
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
        "Threads of each process; numbers may differ in the last digits with another.",
        minimum=0,
        maximum=256,
        unset="the processors' number, shared among the jobs",
        panel=_RUNS,
    )
    fresh: bool = option(
        False, "Judge again what --report holds already, also of other settings.", panel=_RUNS
    )
    report: str = option(
        "",
        "Folder for everything: a page to look at, tables, numbers; a run that was interrupted "
        "goes on there.",
        unset="none",
        metavar="path",
        panel=_REPORTS,
    )
    compare: tuple[str, ...] = option(
        (),
        "Report folder of another run: what is different, and is it more than noise.",
        metavar="path",
        panel=_REPORTS,
    )
    fail_under: float = option(
        0.0,
        "Exit with 3 if the mean J&F is under this, in percent.",
        minimum=0.0,
        maximum=100.0,
        panel=_REPORTS,
    )
    out: str = option(
        "", "JSON file for all numbers.", unset="none", metavar="path", panel=_REPORTS
    )
    save: str = option(
        "", "Folder for sheets of pictures.", unset="none", metavar="path", panel=_REPORTS
    )
