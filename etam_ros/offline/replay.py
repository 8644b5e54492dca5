"""A bag tracked again: with its recorded prompts, on the frames that were processed then."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from etam_ros.errors import ConfigError, SourceError
from etam_ros.media.bags.prompts import recorded_prompts
from etam_ros.media.bags.results import RecordedRun
from etam_ros.media.bags.source import BagSource
from etam_ros.media.frame_source import FrameSource
from etam_ros.offline.prompts_file import TimedPrompt, TimedRemoval
from etam_ros.records import Frame

Said = list[TimedPrompt | TimedRemoval]


def prompts_in(source: FrameSource, tracker: str = "") -> Said:
    """The prompts and removals that a source brings with it; none where it is no bag.

    Args:
        tracker: full name of the recorded tracker; empty where the bag holds one alone.

    Raises:
        SourceError: the bag is damaged, or holds several trackers.
        PromptError: a prompt contradicts itself.
    """
    if not isinstance(source, BagSource):
        return []
    said: Said = []
    for item in recorded_prompts(source.bag, source.topic, tracker):
        if item.prompt is None:
            said.append(TimedRemoval(item.place, item.stamp_ns, item.object_id))
        else:
            said.append(TimedPrompt(item.place, None, item.stamp_ns, item.prompt))
    return said


class ProcessedFrames(FrameSource):
    """Those frames of a bag that a recorded tracker processed, and those that are prompted.

    Args:
        source: of the camera.
        said: prompts; their frames come too, though they were processed only later or never.
        tracker: full name of the recorded tracker; empty where the bag holds one alone.

    Raises:
        ConfigError: the source is no bag.
        SourceError: the bag holds no results, or its frames have no stamps to know them by.
    """

    def __init__(
        self, source: FrameSource, said: Sequence[TimedPrompt | TimedRemoval], tracker: str = ""
    ) -> None:
        if not isinstance(source, BagSource):
            raise ConfigError(
                f"--frames processed needs a bag with results of a tracker, which {source.name} "
                "is not"
            )
        run = RecordedRun(source.bag.path, tracker=tracker, recover=source.recover)
        self._source = source
        prompted = (item.stamp_ns for item in said if isinstance(item, TimedPrompt))
        self._stamps = run.stamps() | {stamp_ns for stamp_ns in prompted if stamp_ns is not None}
        super().__init__(source.name, source.fps, len(self._stamps))

    def _read(self) -> Generator[Frame, None, None]:
        found = 0
        for frame in self._source:
            if frame.stamp_ns in self._stamps:
                found += 1
                yield frame
        if not found:
            raise SourceError(
                f"{self.name} has no frame with the stamp of a recorded result, expected the "
                "camera that was tracked, with stamps"
            )
