"""Evaluation of one video with every method: the task of a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from etam_ros.evaluation.baselines import BaselineVideoSegmenter
from etam_ros.evaluation.metrics.series import Judgement, ObjectSeries
from etam_ros.evaluation.protocols.following import JudgedFrame
from etam_ros.evaluation.protocols.rounds import Evaluated, evaluate
from etam_ros.evaluation.runs.pictures import PagePictures, SheetPictures
from etam_ros.evaluation.runs.settings import RunSettings, key_of, machine
from etam_ros.evaluation.segmenters import TrackerVideoSegmenter, VideoSegmenter
from etam_ros.evaluation.truth.videos import LabelledVideo
from etam_ros.runtime import Stages
from etam_ros.versions import versions

FORMAT: Final = "etam-eval/1"
OnFrame = Callable[[], None]


@dataclass(frozen=True, eq=False)
class Outcome:
    """Output of one video.

    Attributes:
        result: plain values for its JSON file; repeating the evaluation gives the same.
        seconds: time of each method, including pictures.
        steps: frames of all passes of each method.
        pictures: JPEG files by name.
        sheet: a JPEG of all methods; empty if not requested.
    """

    result: dict[str, Any]
    seconds: dict[str, float]
    steps: dict[str, int]
    pictures: dict[str, bytes] = field(default_factory=dict)
    sheet: bytes = b""


class VideoJudge:
    """Evaluates one video after the other with the same settings; a context manager.

    The network is loaded with the first video.

    Args:
        settings: methods and protocol.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._stages: Stages | None = None

    def __enter__(self) -> VideoJudge:
        self._stack.enter_context(fixed_threads(self._settings.threads))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._stages = None

    def judge(self, video: LabelledVideo, on_frame: OnFrame = lambda: None) -> Outcome:
        """Evaluate one video with every method.

        Args:
            on_frame: called after each frame of each pass.

        Raises:
            ConfigError: the protocol does not fit the ground truth.
            SourceError, ImageError: frames or ground truth cannot be read.
            BackendError, WeightsError: the network cannot be opened.
        """
        sheet = SheetPictures(video) if self._settings.with_sheets else None
        page = PagePictures(video) if self._settings.with_page else None
        methods: dict[str, Any] = {}
        seconds, steps = {}, {}
        frames = 0
        for name, segmenter in self._methods():
            watch = _Watcher(name, on_frame, sheet, page if not methods else None)
            started = time.perf_counter()
            done = evaluate(video, segmenter, self._settings.protocol, watch)
            seconds[name], steps[name] = time.perf_counter() - started, watch.steps
            methods[name] = method_as_json(done)
            frames = done.frames
        result = self._about(video) | {
            "frames": frames,
            "notes": list(video.notes),
            "methods": methods,
        }
        return Outcome(
            result, seconds, steps, page.files() if page else {}, sheet.jpeg() if sheet else b""
        )

    def _methods(self) -> Iterator[tuple[str, VideoSegmenter]]:
        settings = self._settings
        if settings.model:
            yield settings.model, TrackerVideoSegmenter(self._network())
        for name in settings.baselines:
            yield name, BaselineVideoSegmenter(name)

    def _network(self) -> Stages:
        if self._stages is None:
            from etam_ros.tracking import open_stages

            settings = self._settings
            opened = open_stages(
                settings.model,
                weights=settings.weights,
                backend=settings.backend,
                precision=settings.precision,
                device=settings.device,
                engine_dir=settings.engine_dir,
            )
            self._stages = self._stack.enter_context(opened)
        return self._stages

    def _about(self, video: LabelledVideo) -> dict[str, Any]:
        fingerprint = video.fingerprint()
        return {
            "format": FORMAT,
            "video": video.name,
            "group": video.group,
            "fingerprint": fingerprint,
            "key": key_of(self._settings, fingerprint),
            "settings": self._settings.as_json(),
            "runs_on": self._stages.name if self._stages else "",
            "machine": machine(),
            "versions": versions(),
        }


class _Watcher:
    """Counts frames, and passes them on to the pictures."""

    def __init__(
        self,
        method: str,
        on_frame: OnFrame,
        sheet: SheetPictures | None,
        page: PagePictures | None,
    ) -> None:
        self._method, self._on_frame, self._sheet, self._page = method, on_frame, sheet, page
        self.steps = 0

    def begin(self) -> None:
        if self._sheet:
            self._sheet.begin(self._method)
        if self._page:
            self._page.begin()

    def see(self, judged_frame: JudgedFrame) -> None:
        self.steps += 1
        if self._sheet:
            self._sheet.see(self._method, judged_frame)
        if self._page:
            self._page.see(judged_frame)
        self._on_frame()


@contextmanager
def fixed_threads(threads: int) -> Iterator[None]:
    """Use a fixed number of threads, so that sums are always computed in the same order."""
    import cv2
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def method_as_json(done: Evaluated) -> dict[str, Any]:
    """One method on one video; values are None if nothing could be evaluated."""
    return {
        "j": done.j,
        "f": done.f,
        "j_and_f": done.j_and_f,
        "passes": done.passes,
        "curve": [asdict(point) for point in done.curve],
        "objects": [object_as_json(each) for each in done.objects],
    }


def object_as_json(series: ObjectSeries) -> dict[str, Any]:
    """One object: its measures, and the series from which they are computed."""
    return {
        "object_id": series.object_id,
        "label": series.label,
        "prompted_frame": series.prompted_frame,
        "interacted": list(series.interacted),
        "frames": series.frames,
        "j": series.j,
        "f": series.f,
        "j_and_f": series.j_and_f,
        "summary": series.summary(),
        "series": _columns(series.judged),
    }


def _columns(judged: tuple[Judgement, ...]) -> dict[str, list[Any]]:
    names = ("frame", "j", "f", "expected", "found", "centroid_px", "covers")
    return {name: [getattr(each, name) for each in judged] for name in names}
