"""Evaluation of many videos in this process, in several, or on a Ray cluster.

A worker that dies (out of memory, or by a signal) is replaced, and its video is started again; a
video whose worker dies three times is given up, and reported at the end.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from etam_ros.errors import EtamError, ImageError, SourceError
from etam_ros.evaluation.runs.one_video import OnFrame, Outcome, VideoJudge
from etam_ros.evaluation.runs.settings import RunSettings
from etam_ros.evaluation.truth.videos import LabelledVideo

MOST_TRIES: Final = 3
OnOutcome = Callable[[str, Outcome], None]
"""Called with the name and the output of each finished video."""
Failures = dict[str, str]
"""Errors of videos that could not be evaluated, by name."""


def judge_here(
    videos: Sequence[LabelledVideo],
    settings: RunSettings,
    on_outcome: OnOutcome,
    on_frame: OnFrame,
) -> Failures:
    """Evaluate one video after the other, in this process.

    Raises:
        EtamError: an error that affects all videos, not a single one.
    """
    failures: Failures = {}
    with VideoJudge(settings) as judge:
        for video in videos:
            outcome = _judged(judge, video, on_frame)
            if isinstance(outcome, Outcome):
                on_outcome(video.name, outcome)
            elif isinstance(outcome, (SourceError, ImageError)):
                failures[video.name] = str(outcome)
            else:
                raise outcome
    return failures


def _judged(judge: VideoJudge, video: LabelledVideo, on_frame: OnFrame) -> Outcome | EtamError:
    """The output of a video, or its error."""
    try:
        return judge.judge(video, on_frame)
    except EtamError as error:
        return error


def judge_in_processes(
    videos: Sequence[LabelledVideo],
    settings: RunSettings,
    jobs: int,
    on_outcome: OnOutcome,
    on_frame: OnFrame,
) -> Failures:
    """Evaluate several videos at the same time, each in a process of its own.

    Raises:
        EtamError: an error that affects all videos, not a single one.
    """
    pool = _Pool(deque(_Task(video) for video in videos), settings)
    failures: Failures = {}
    with pool.running(min(jobs, len(videos))):
        for task, said in pool.messages():
            if said is None:
                on_frame()
            elif isinstance(said, Outcome):
                on_outcome(task.video.name, said)
            elif isinstance(said, (SourceError, ImageError)):
                failures[task.video.name] = str(said)
            else:
                raise said
    return failures


@dataclass
class _Task:
    """A video, and how often it was started."""

    video: LabelledVideo
    tries: int = 0


@dataclass
class _Worker:
    """A process, and its current task."""

    process: SpawnProcess
    pipe: Connection[Any, Any]
    task: _Task | None = None


class _Pool:
    """A pool of processes, each of which evaluates one video after the other."""

    def __init__(self, waiting: deque[_Task], settings: RunSettings) -> None:
        self._waiting, self._settings = waiting, settings
        self._context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []

    @contextmanager
    def running(self, jobs: int) -> Iterator[None]:
        """Run the given number of processes, and end them afterwards."""
        try:
            for _ in range(jobs):
                self._employ()
            yield
        finally:
            for worker in self._workers:
                worker.process.terminate()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()

    def messages(self) -> Iterator[tuple[_Task, Outcome | Exception | None]]:
        """Messages of the workers until all is done: None for a frame, else the end of a video."""
        for worker in self._workers:
            self._hand_out(worker)
        while busy := [worker for worker in self._workers if worker.task is not None]:
            ready = wait([each.pipe for each in busy])
            for worker in [each for each in busy if each.pipe in ready]:
                task = worker.task
                assert task is not None  # only busy ones send messages
                try:
                    said = worker.pipe.recv()
                except (EOFError, OSError):
                    yield from self._bury(worker, task)
                    continue
                if said is not None:
                    self._hand_out(worker)
                yield task, said

    def _employ(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(theirs, self._settings), daemon=True)
        process.start()
        theirs.close()  # so that its end is noticed
        worker = _Worker(process, ours)
        self._workers.append(worker)
        return worker

    def _hand_out(self, worker: _Worker) -> None:
        worker.task = self._waiting.popleft() if self._waiting else None
        with suppress(OSError):  # it has died, which is noticed when its messages are read
            worker.pipe.send(worker.task.video if worker.task else None)

    def _bury(self, worker: _Worker, task: _Task) -> Iterator[tuple[_Task, Exception]]:
        """Replace a dead worker; its video is started again, or given up."""
        worker.process.join()
        worker.pipe.close()
        self._workers.remove(worker)
        task.tries += 1
        if task.tries < MOST_TRIES:
            self._waiting.appendleft(task)
        else:
            yield task, SourceError(_gave_up(task.video.name, worker.process.exitcode))
        self._hand_out(self._employ())


def _gave_up(name: str, exitcode: int | None) -> str:
    how = f"signal {-exitcode}" if exitcode and exitcode < 0 else f"exit code {exitcode}"
    return (
        f"{name} ended its process {MOST_TRIES} times ({how}): use fewer --jobs if memory is "
        "short, or leave it out"
    )


def _work(pipe: Connection[Any, Any], settings: RunSettings) -> None:
    """The main function of a worker, until it receives None, or its parent is gone."""
    with suppress(EOFError, OSError, KeyboardInterrupt), VideoJudge(settings) as judge:
        while (video := pipe.recv()) is not None:
            pipe.send(_judged(judge, video, lambda: pipe.send(None)))
