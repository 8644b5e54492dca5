"""One run of the demo: play a clip to the tracker node, click, listen, and count."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from etam_ros.demo.clip import DemoClip
from etam_ros.demo.config import FOLLOW_RECORD, LOGS, is_older_demo
from etam_ros.demo.listener import DemoListener
from etam_ros.demo.options import DemoOptions
from etam_ros.demo.processes import DemoSession, process_environment, start_processes
from etam_ros.demo.report import DemoReport
from etam_ros.media.files import writing
from etam_ros.media.result_kind import ResultKind
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.startup import require_rclpy

REPORT: Final = "report.md"
LEFT: Final = ResultKind(
    "demo",
    ("overlay.mp4", "overlay.jpg", REPORT, "clip", LOGS),
    inside={"clip": r"frames|masks|frames/\d+\.jpg|masks/\d+\.png", LOGS: r"[^/]+\.log"},
    beside=(FOLLOW_RECORD,),
    is_older=is_older_demo,
    is_shared=True,
)


def run_demo(
    options: DemoOptions,
    clip: DemoClip,
    *,
    on_status: Callable[[str], None],
    stop: Callable[[], bool],
) -> DemoReport:
    """Play, click and listen, and leave overlay.mp4, overlay.jpg and, with results, report.md.

    Args:
        options: their folder holds nothing of an earlier demo.
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
        ProcessGroup(environment, options.out / LOGS) as processes,
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
