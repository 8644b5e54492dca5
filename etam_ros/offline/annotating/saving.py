"""What was chosen by hand, followed through the whole recording and written to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from etam_ros.config import OverlayConfig, TrackerConfig
from etam_ros.media.result_folder import ResultFolder
from etam_ros.media.run_record import CUT, INTERRUPTED, RunRecord
from etam_ros.media.sources import open_source
from etam_ros.offline.output_folder import (
    MASKS,
    OBJECTS,
    OVERLAY,
    TRACKED,
    check_output_folder,
    kept_names,
)
from etam_ros.offline.prompts_file import TimedPrompt
from etam_ros.offline.prompts_output import PROMPTS, write_prompts
from etam_ros.offline.track_output import TrackOutput
from etam_ros.offline.track_run import RunSummary, TrackRun
from etam_ros.runtime import Stages
from etam_ros.tracking import Tracker


@dataclass(frozen=True)
class Recording:
    """What is annotated, and where it is saved.

    Attributes:
        source: video, folder of images or bag.
        topic, recover: of a bag.
        folder: for masks/, objects.csv, overlay.mp4 and prompts.json.
    """

    source: str
    folder: Path
    topic: str = ""
    recover: bool = False

    def check(self) -> None:
        """Raise SourceError unless the folder is new, empty, or holds an earlier run alone."""
        check_output_folder(self.folder, self.source, self.folder / PROMPTS)

    def save(
        self,
        prompts: Sequence[TimedPrompt],
        stages: Stages,
        *,
        on_frame: Callable[[], None],
        stop: Callable[[], bool],
    ) -> RunSummary:
        """Write prompts.json, then track every frame with these prompts and write the rest.

        Args:
            prompts: whose objects have ids.
            stages: of the network.
            on_frame: called after each frame.
            stop: asked after each frame; true ends it.

        Raises:
            EtamError: something cannot be read or written.
        """
        listing = write_prompts(self.folder, prompts)
        with open_source(self.source, topic=self.topic, recover=self.recover) as source:
            record = RunRecord(
                "track",
                self.source,
                stages.name,
                frames_in_source=source.frame_count,
                files=(MASKS, OBJECTS, OVERLAY),
            )
            kept = kept_names(self.folder, listing)
            with ResultFolder(self.folder, TRACKED, record, kept=kept) as folder:

                def count() -> None:
                    folder.frames += 1
                    on_frame()

                with TrackOutput(
                    folder.place, fps=source.fps, overlay=OverlayConfig(), save_logits=False
                ) as output:
                    tracker = Tracker(stages, TrackerConfig())
                    summary = TrackRun(prompts).run(
                        source, tracker, output, on_frame=count, stop=stop
                    )
                if summary.stopped:
                    folder.end(INTERRUPTED)
                elif summary.cut:
                    folder.end(CUT, summary.cut)
        return summary
