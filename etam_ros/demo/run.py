"""One run of the demo: play a clip to the tracker node, click, listen, and count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from etam_ros.demo.clip import DemoClip
from etam_ros.demo.listener import DemoListener
from etam_ros.demo.options import DemoOptions
from etam_ros.demo.processes import DemoSession, process_environment, start_processes
from etam_ros.demo.report import DemoReport
from etam_ros.media.files import writing
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.startup import require_rclpy

REPORT: Final = "report.md"
_FILES: Final = ("overlay.mp4", "overlay.mp4.part", "overlay.jpg", REPORT)


def start_folder(out: Path) -> None:
    """Make the folder; take away what an earlier demo left.

    Raises:
        SourceError: it cannot be written.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name in _FILES:
            (out / name).unlink(missing_ok=True)


def run_demo(
    options: DemoOptions,
    clip: DemoClip,
    *,
    on_status: Callable[[str], None],
    stop: Callable[[], bool],
) -> DemoReport:
    """Play, click and listen, and leave overlay.mp4, overlay.jpg and, with results, report.md.

    Args:
        on_status: called with what is being done, in words.
        stop: asked again and again; true ends the run.

    Raises:
        EtamError: ROS is missing, a process failed, a click was refused, or a file cannot be
            written.
    """
    rclpy = require_rclpy()
    with (
        DemoListener(options.out, clip.fps, prompts=options.prompts, truth=clip.truth) as listener,
        isolated_domain() as environment,
        ProcessGroup(environment, options.out / "logs") as processes,
        process_environment(environment),
    ):
        # They start before this process has threads of its own.
        start_processes(processes, options, clip)
        context = rclpy.Context()
        rclpy.init(context=context, args=[])
        try:
            session = DemoSession(context, processes, listener, on_status, stop)
            counts = session.run(options.frames)
        finally:
            rclpy.try_shutdown(context=context)
    scores = [listener.scores[object_id] for object_id in sorted(listener.scores)]
    report = DemoReport(clip.name, options, counts, listener.latencies_ms, scores)
    if counts.results:
        with writing(options.out):
            (options.out / REPORT).write_text(report.markdown(), encoding="utf-8")
    return report
