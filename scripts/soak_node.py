#!/usr/bin/env python3
"""Let a tracker node run at ten times the real rate while everything around it changes.

    python scripts/soak_node.py --hours 2 --out soak      as long as before a release
    python scripts/soak_node.py --hours 0.1 --seed 3      a short one, another schedule
    python scripts/soak_node.py --judge soak/soak.csv     a table again, also one that still grows

The node is a process of its own. Cameras restart, or are killed, change size and encoding, stall
and send what is no image; viewers come, are slow, go or are killed; prompts, searches, parameters
and lifecycle transitions come every moment: all from --seed. Every minute and a half all of it
rests for some seconds: cleaned up and configured again, one camera of one size, nothing followed,
nobody looking. Every few seconds a row is written to OUT/soak.csv; at the end lines are fitted to
memory (at rest, where it depends on nothing that comes and goes), threads, descriptors and shared
memory.
Exit code 1 if one grows or cannot be called flat, if images brought no results, if more than one
call in a hundred got no answer, or if the node raised or ended.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
from soak_operator import Operator
from soak_samples import Sample, Table, judge, measured, read_table, taken_in_dev_shm

from etam_ros.errors import EtamError
from etam_ros.ros.harness.isolation import isolated_domain
from etam_ros.ros.harness.process_group import ProcessGroup
from etam_ros.ros.shared_memory import reclaim

SAMPLE_S: Final = 5.0
SILENCE_S: Final = 60.0
"""Images come, the node is active, and there is no result for so long: the machine may be busy."""
REST_EVERY_S: Final = 60.0
REST_S: Final = 8.0
"""At rest, before memory is looked at: what came late is done, and what was dropped is freed."""
MOST_VIEWERS: Final = 3
VIEWS: Final = (
    "overlay", "overlay/compressed", "label_image", "click_plane", "objects,events,markers",
    "slow,overlay,objects", "overlay,overlay/compressed,label_image,objects,click_plane",
)  # fmt: skip
PARAMETERS: Final = (
    "model:=tiny_test", "weights:=random:0", "backend:=torch", "everything.points_per_side:=2",
    "tracker.max_objects:=4", "tracker.forget_after_s:=60.0", "history.max_mib:=8",
)  # fmt: skip


class Soak:
    """A node, and all that goes on around it.

    Args:
        processes: start the node and those who talk to it.
        rng: the schedule.
        rate_hz: of the camera.
        only: names of actions; nothing else is done, and that without a break.
    """

    def __init__(
        self,
        processes: ProcessGroup,
        rng: np.random.Generator,
        rate_hz: float,
        only: Collection[str] = (),
    ) -> None:
        self._processes, self._rng, self._rate_hz, self._only = processes, rng, rate_hz, only
        self._viewers: list[str] = []
        self._begun = 0
        self._camera = ""
        self._next_rest_s = time.monotonic() + REST_EVERY_S
        self.actions = self.silences = 0
        self.resting = False
        arguments = [word for each in PARAMETERS for word in ("-p", each)]
        module = "etam_ros.ros.tracker.executable"
        processes.start("tracker", module, ["--ros-args", *arguments, "--log-level", "warn"])
        self.operator = Operator(rng)
        self.start_camera()

    def _all_actions(self) -> dict[Callable[[], None], int]:
        every = {
            **self.operator.actions(), self.start_camera: 3, self.start_viewer: 3,
            self.end_viewer: 3,
        }  # fmt: skip
        return {
            action: weight
            for action, weight in every.items()
            if not self._only or action.__name__ in self._only
        }

    def start_camera(self, changes: bool = True) -> None:
        """Another one in the place of the last, which ends well or is killed."""
        if self._camera:
            self._end(self._camera)
        self._begun += 1
        self._camera = f"camera_{self._begun}"
        seed, back = int(self._rng.integers(2**31)), int(self._rng.random() < 0.2)
        stamp_s = 1_000_000 + self._begun * 1_000 - back * 5_000
        kind = "camera" if changes else "steady_camera"
        arguments = [kind, str(seed), str(self._rate_hz), str(stamp_s)]
        self._processes.start(self._camera, "soak_peers", arguments)

    def start_viewer(self) -> None:
        if len(self._viewers) == MOST_VIEWERS:
            self.end_viewer()
        self._begun += 1
        self._viewers.append(f"viewer_{self._begun}")
        view = VIEWS[self._rng.integers(len(VIEWS))]
        self._processes.start(self._viewers[-1], "soak_peers", ["viewer", view])

    def end_viewer(self) -> None:
        if self._viewers:
            self._end(self._viewers.pop(int(self._rng.integers(len(self._viewers)))))

    def rest(self, wait: Callable[[float], bool]) -> None:
        """A new configuration, one steady camera, nothing followed, nobody looking."""
        while self._viewers:
            self.end_viewer()
        self.start_camera(changes=False)
        self.operator.cleanup()
        self.operator.make_active(wait)
        self.operator.set_first_parameters()
        self._look_for_results(wait)
        self.operator.reset()
        if not wait(REST_S):
            self.resting = True
            wait(1.2 * SAMPLE_S)
            self.resting = False
        self.start_camera()
        self._next_rest_s = time.monotonic() + REST_EVERY_S

    @property
    def participants(self) -> int:
        """The node, the operator, a camera and the viewers."""
        return 3 + len(self._viewers)

    def _end(self, name: str) -> None:
        if self._rng.random() < 0.3:
            self._processes.kill(name)
            time.sleep(1.1)  # until nobody can be about to take its lock
            reclaim()
        else:
            self._processes.end(name)
        self._processes.log(name).unlink(missing_ok=True)

    def run(self, wait: Callable[[float], bool]) -> None:
        """Do one thing after another until `wait` says that the time is over.

        Raises:
            EtamError: the node has ended.
        """
        actions = self._all_actions()
        weights = np.array([*actions.values()], float)
        while self.operator.state() != "active":  # by itself
            self._check()
            if wait(0.2):
                return
        longest_s = 0.0 if self._only else 1.2
        while not wait(float(self._rng.uniform(0.0, longest_s))):
            chosen = int(self._rng.choice(len(actions), p=weights / weights.sum()))
            [*actions][chosen]()
            self.actions += 1
            self._check()
            self.operator.make_active(wait)
            self._look_for_results(wait)
            if time.monotonic() > self._next_rest_s:
                self.rest(wait)

    def _check(self) -> None:
        if not self._processes.running("tracker"):
            self._processes.check("tracker")
            raise EtamError("the node ended with exit code 0, expected it to go on")

    def _look_for_results(self, wait: Callable[[float], bool]) -> None:
        before, end = self.operator.heard, time.monotonic() + SILENCE_S
        while self.operator.heard == before:
            if time.monotonic() > end:
                self.silences += 1
                print(f"after {self.actions} actions: no result for {SILENCE_S:g} s", flush=True)
                return
            if wait(0.05):
                return


def sample_on(
    table: Table, soak: Soak, process: int, over: threading.Event, begin_s: float
) -> None:
    """Add rows to the table until it is over, or the node is."""
    heard, last_s = soak.operator.heard, time.monotonic()
    while not over.wait(SAMPLE_S):
        now_s, now_heard = time.monotonic(), soak.operator.heard
        try:
            values = measured(process)
        except OSError:
            return
        rate = (now_heard - heard) / (now_s - last_s)
        heard, last_s = now_heard, now_s
        operator = soak.operator
        told = (soak.actions, operator.unanswered, soak.silences, int(soak.resting))
        table.add(
            Sample(now_s - begin_s, *values, soak.participants, taken_in_dev_shm(), rate, *told)
        )


def run(options: argparse.Namespace, out: Path) -> list[str]:
    """Soak a node; what was wrong beside what the table says."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    wrong = []
    with ExitStack() as stack:
        environment = stack.enter_context(isolated_domain())
        environment.setdefault("OMP_NUM_THREADS", "1")
        scripts = str(Path(__file__).resolve().parent)
        path = [scripts, environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(each for each in path if each)
        os.environ.update(environment)
        rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
        stack.callback(rclpy.try_shutdown)
        table = Table(out / "soak.csv")
        stack.callback(table.close)
        processes = stack.enter_context(ProcessGroup(environment, out))
        soak = Soak(processes, np.random.default_rng(options.seed), options.rate_hz, options.only)
        stack.callback(soak.operator.end)
        over, begin_s = threading.Event(), time.monotonic()
        end_s = begin_s + 3600 * options.hours
        node = processes.pid("tracker")
        sampler = threading.Thread(target=sample_on, args=(table, soak, node, over, begin_s))
        sampler.start()
        try:
            soak.run(lambda pause_s: over.wait(pause_s) or time.monotonic() > end_s)
        except EtamError as error:
            wrong.append(str(error))
        except KeyboardInterrupt:
            print("interrupted: what there is gets judged")
        finally:
            over.set()
            sampler.join()
        wrong += faults(soak, processes)
        told = (soak.actions, soak.operator.calls, soak.operator.heard)
        minutes = (time.monotonic() - begin_s) / 60
        print(f"{minutes:.1f} min: {told[0]} actions, {told[1]} calls, {told[2]} results heard")
    return wrong


def faults(soak: Soak, processes: ProcessGroup) -> list[str]:
    """What was wrong with a run, in words."""
    found = []
    if soak.silences:
        found.append(f"{soak.silences} times images brought no result for {SILENCE_S:g} s")
    if soak.operator.unanswered * 100 > soak.operator.calls:
        found.append(f"{soak.operator.unanswered} of {soak.operator.calls} calls got no answer")
    if "Traceback" in processes.log("tracker").read_text(errors="replace"):
        found.append(f"the node raised: see {processes.log('tracker')}")
    return found


def main(arguments: list[str]) -> int:
    """Run and judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", default=[], metavar="ACTION", help="to find a cause")
    parser.add_argument("--rate-hz", type=float, default=300.0, help="of the camera")
    parser.add_argument("--out", type=Path, help="default: a new folder among temporary ones")
    parser.add_argument("--judge", type=Path, metavar="CSV", help="a table, and run nothing")
    options: Any = parser.parse_args(arguments)
    wrong: list[str] = []
    if options.judge is not None:
        csv = options.judge
    else:
        out = options.out or Path(tempfile.mkdtemp(prefix="etam_soak_"))
        out.mkdir(parents=True, exist_ok=True)
        print(f"rows go to {out / 'soak.csv'}", flush=True)
        wrong = run(options, out)
        csv = out / "soak.csv"
    samples = read_table(csv)
    minutes = samples[-1].time_s / 60 if samples else 0
    wrong += judge(samples, csv.parent, f"tracker node, {minutes:.0f} min of everything")
    for each in wrong:
        print(f"wrong: {each}")
    print("failed" if wrong else "flat")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
