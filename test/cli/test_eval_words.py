"""The terminal and the report name the same measures in the same words."""

from pathlib import Path

import etam_ros.evaluation.report as report
from etam_ros.cli.terminal.tables import summary_lines

SUMMARY = {
    "interval": {"low": None},
    "recall": {"j": 0.713, "f": 0.77},
    "decay": {"j": 0.37, "f": 0.412},
    "occlusion": {"absent": 11, "precision": 0.407, "recall": 1.0, "called_absent": 27},
    "recovery": {"returns": 2, "recovered": 1, "frames": 17.0},
    "identity": {"own": 0.977, "switches": 1},
    "centroid_px": 34.2,
    "interacted_frames": 1.0,
    "curve": [],
}


def test_the_terminal_says_what_the_report_says():
    page = Path(report.__file__).with_name("page.html.j2").read_text(encoding="utf-8")
    lines = summary_lines(SUMMARY)
    assert "recovered after an absence: 1 of 2, after 17.0 frames" in lines
    assert "on the right object 97.7, 1 switch to another" in lines
    for words in ("recovered after an absence", "on the right object"):
        assert words in page


def test_objects_that_are_never_absent_but_reported_so():
    away = {**SUMMARY["occlusion"], "absent": 0, "called_absent": 3}
    lines = summary_lines({**SUMMARY, "occlusion": away})
    assert "reported as absent on 3 frames that show the object" in lines
