"""log.csv of a run: it is read again, and a run that goes on forgets what came after its state."""

import math

import pytest

from etam_ros.errors import TrainingError
from etam_ros.training.outputs.run_log import RunLog, read_log
from etam_ros.training.pretraining.log import PretrainingRow

LATE = 1_234_567  # six digits would not tell it


def test_lines_are_read_again_and_later_ones_forgotten(tmp_path):
    log = RunLog(tmp_path, PretrainingRow, 0)
    for step in (0, LATE, LATE + 1):
        log.add(PretrainingRow(step, error=0.5))
    with log.path.open("a") as file:
        file.write(f"{LATE + 2},0.1")  # the process was killed
    rows = read_log(log.path, PretrainingRow)
    assert [row.step for row in rows] == [0, LATE, LATE + 1]
    assert rows[0].error == 0.5
    assert math.isnan(rows[0].unseen)
    assert [row.step for row in RunLog(tmp_path, PretrainingRow, LATE).rows] == [0, LATE]
    assert [row.step for row in read_log(log.path, PretrainingRow)] == [0, LATE]
    assert RunLog(tmp_path, PretrainingRow, 0).rows == []


@pytest.mark.parametrize("text", ["step,loss\n1,2\n", "step,error\nx,1\n", "error\n1\n"])
def test_another_table_is_refused_in_one_line(tmp_path, text):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(TrainingError, match="cannot be read as the log of a run") as error:
        RunLog(tmp_path, PretrainingRow, 1)
    assert "\n" not in str(error.value)
