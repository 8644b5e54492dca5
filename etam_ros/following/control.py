"""The follower without ROS: results, time and parameters in, speeds and their reason out.

Times are seconds of one clock that the caller reads; nothing here reads a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import Final

from etam_ros.following.config import ALWAYS, NEWEST, FollowerSettings
from etam_ros.following.leaps import LeapWatch
from etam_ros.following.sight import SeenFrame, SeenObject, choose, quoted
from etam_ros.following.speeds import STANDING, Speeds, changed_speed, wanted_speeds
from etam_ros.following.stamps import StampWatch

LONGEST_STEP_S: Final = 0.2
"""A command that comes later after the one before changes speeds by no more than this allows."""


class Phase(Enum):
    """What the follower is about."""

    DISABLED = "disabled"
    WAITING = "waiting"  # enabled; nothing could be followed yet
    FOLLOWING = "following"
    STOPPED = "stopped"  # goes on by itself if that does not last
    LOST = "lost"  # waits to be enabled again, or for `resume`


@dataclass(frozen=True)
class Command:
    """What the robot is told, and why.

    Attributes:
        speeds: finite, within the limits.
        phase: what the follower is about.
        reason: whom it follows, or why it does not.
        target: what it follows or would, as last seen; None without one.
    """

    speeds: Speeds
    phase: Phase
    reason: str
    target: SeenObject | None = None

    @property
    def state(self) -> str:
        """For people: `following cup (1)`."""
        return f"{self.phase.value}: {self.reason}" if self.reason else self.phase.value


@dataclass(frozen=True)
class _Verdict:
    """Whether the target can be followed now; else why not, and whether to stop at once."""

    seen: SeenObject | None = None
    reason: str = ""
    at_once: bool = False

    @property
    def good(self) -> bool:
        return not self.reason


class FollowControl:
    """Decides, command after command; starts disabled.

    A stop is immediate where nothing is known (no result, clocks, another camera, disabled), and
    smooth where the tracker itself says that the target is hidden, gone or doubtful: then the
    robot is at rest after half of `result_timeout_s`.

    Args:
        settings: the parameters.
    """

    def __init__(self, settings: FollowerSettings) -> None:
        self._settings = settings
        self.enabled = False
        self.selected: int | None = None
        self._leaps = LeapWatch()
        self._stamps = StampWatch()
        self._forget()

    def _forget(self) -> None:
        self._frame: SeenFrame | None = None
        self._repeated = False  # results come, and are of an image that is over
        self._stranger: SeenFrame | None = None  # the newest result of another camera
        self._frame_id: str | None = None
        self._bound: SeenObject | None = None
        self._leaps.forget()
        self._followed = False
        self._trouble: tuple[float, str] | None = None  # since when it cannot follow, and why
        self._lost = ""
        self._blocked = ""  # why results are waited for, where it is not that none has come
        self._speeds = STANDING
        self._stopping_from = STANDING
        self._commanded_s = math.nan

    @property
    def settings(self) -> FollowerSettings:
        """May be replaced at any time; with another target or camera, the one before is let go."""
        return self._settings

    @settings.setter
    def settings(self, settings: FollowerSettings) -> None:
        if settings.node.target != self._settings.node.target:
            self._bound = None
            self._leaps.forget()
        renamed = settings.node.frame_id != self._settings.node.frame_id
        self._settings = settings
        frame = self._frame
        if renamed and frame is not None and frame.frame_id != self._expected:
            self._stranger, self._frame = frame, None
        elif renamed:
            self._stranger = None

    def enable(self, enabled: bool) -> None:
        """Begin anew, also when it was enabled before; or stop and forget."""
        self.enabled = enabled
        self._forget()

    def interrupt(self, now_s: float, reason: str) -> None:
        """Stop at once, and believe no result that has come so far: time itself jumped."""
        self._frame = self._stranger = None
        self._leaps.forget()
        self._stamps.distrust()
        self._blocked = reason
        self._speeds = STANDING
        if self._followed and not self.settings.node.resume:
            self._lost = reason
        elif self._followed:
            self._trouble = (now_s, reason)  # not `since`: that was by another time
        self._commanded_s = math.nan

    def take(self, result: SeenFrame) -> bool:
        """Learn a result; False if it is of another camera, or a newer one came before."""
        if self._frame_id is None or not self.enabled:
            self._frame_id = self.settings.node.frame_id or result.frame_id
        if result.frame_id != self._expected:
            self._stranger = result
            return False
        now_s = result.arrived_s
        frame = self._stamps.look(result)
        self._repeated = frame is None or frame.arrived_s != now_s
        self._note_silence(now_s)
        if frame is None:
            return False
        self._frame, self._blocked = frame, ""
        node = self.settings.node
        target, _ = choose(frame.objects, node.target, self._bound, self.selected)
        self._leaps.look(target, now_s, node.max_target_speed)
        verdict = self._judge(now_s)
        self._note(now_s, verdict)
        if verdict.good and verdict.seen is not None:
            self._leaps.trust(verdict.seen, now_s)
        return True

    @property
    def _expected(self) -> str:
        """Coordinate frame of the camera."""
        return self.settings.node.frame_id or self._frame_id or ""

    def target_of(self, frame: SeenFrame) -> SeenObject | None:
        """The target in a frame, if it is there to be followed; also while disabled."""
        target = self.settings.node.target
        seen, _ = choose(frame.objects, target, self._bound, self.selected)
        return None if seen is None or self._doubts(seen) else seen

    def command(self, now_s: float) -> Command:
        """What to do now; called at a steady rate."""
        step_s = now_s - self._commanded_s
        step_s = min(max(step_s, 0.0), LONGEST_STEP_S) if math.isfinite(step_s) else 0.0
        self._commanded_s = now_s
        if not self.enabled:
            self._speeds = STANDING
            return Command(STANDING, Phase.DISABLED, "")
        self._note_silence(now_s)
        verdict = self._judge(now_s)
        self._note(now_s, verdict)
        if self._lost or verdict.at_once:
            self._speeds = STANDING
        elif verdict.good and verdict.seen is not None:
            self._followed, self._bound = True, verdict.seen
            self._speeds = self._stopping_from = self._follow(verdict.seen, step_s)
        else:
            self._speeds = self._stop_smoothly(step_s)
        return self._explained(verdict)

    def _judge(self, now_s: float) -> _Verdict:
        """Whether the newest result can be followed."""
        node, frame, stranger = self.settings.node, self._frame, self._stranger
        if stranger is not None and 0.0 <= now_s - stranger.arrived_s <= node.result_timeout_s:
            names = f"{quoted(stranger.frame_id)}, not {quoted(self._expected)}"
            return _Verdict(reason=f"results are of camera frame {names}", at_once=True)
        if frame is None:
            return _Verdict(reason=self._blocked or "no result yet", at_once=True)
        silent_s = now_s - frame.arrived_s
        if not 0.0 <= silent_s <= node.result_timeout_s:
            return _Verdict(reason=self._silence, at_once=True)
        wrong = self._wrong_age(frame.age_s, silent_s)
        if wrong:
            return _Verdict(reason=wrong, at_once=True)
        seen, missing = choose(frame.objects, node.target, self._bound, self.selected)
        return _Verdict(reason=missing) if seen is None else _Verdict(seen, self._doubts(seen))

    @property
    def _silence(self) -> str:
        words = _REPEATED if self._repeated else _SILENCE
        return words.format(self.settings.node.result_timeout_s)

    def _wrong_age(self, age_s: float, silent_s: float) -> str:
        """Why a result cannot be believed; empty where it can, or its age is not known.

        Args:
            age_s: by its stamp, when it came.
            silent_s: since then.
        """
        node = self.settings.node
        limit_s = node.result_timeout_s
        if age_s > limit_s:
            return _LATE.format(limit_s)
        if age_s + silent_s > limit_s:
            return self._silence
        if node.stamp_age == ALWAYS and not age_s + silent_s >= -limit_s:
            return "results have timestamps in the future, so their age is unknown"
        return ""

    def _doubts(self, seen: SeenObject) -> str:
        """Why an object that is there cannot be followed; empty if it can."""
        if seen.occluded:
            return f"{seen.name} is hidden"
        node = self.settings.node
        if not seen.iou_score >= node.min_iou_score:
            return f"{seen.name} is doubtful, its iou_score is below {node.min_iou_score:g}"
        if not seen.visibility >= node.min_visibility:
            return f"{seen.name} is doubtful, its visibility is below {node.min_visibility:g}"
        if not math.isfinite(seen.bearing):
            return f"the direction of {seen.name} is unknown: there is no camera_info"
        if self._leaps.has_slipped(seen):
            trust = "call ~/enable to trust it again"
            return f"{seen.name} is doubtful, its distance jumped ({trust})"
        return ""

    def _note_silence(self, now_s: float) -> None:
        """Silence counts from when it began, also where nobody asked for commands meanwhile."""
        frame, timeout_s = self._frame, self.settings.node.result_timeout_s
        if frame is not None and now_s - frame.arrived_s > timeout_s:
            self._note(frame.arrived_s + timeout_s, _Verdict(reason=self._silence))

    def _note(self, now_s: float, verdict: _Verdict) -> None:
        """Keep account of how long the target could not be followed."""
        if not self.enabled:
            return
        node = self.settings.node
        since = self._trouble
        if since is not None and now_s - since[0] > node.lost_after_s:
            if not node.resume:
                self._lost = self._lost or since[1]
            elif node.target != NEWEST or self._frame is None or not self._frame.objects:
                self._bound = None  # another may be followed; ids may count anew
        if verdict.good:
            self._trouble = None
        elif self._followed and since is None:
            self._trouble = (now_s, verdict.reason)

    def _follow(self, seen: SeenObject, step_s: float) -> Speeds:
        bearing, distance = self.settings.bearing, self.settings.distance
        wanted = wanted_speeds(seen, bearing, distance)
        most = (distance.acceleration * step_s, bearing.acceleration * step_s)
        return self._changed(wanted, most)

    def _stop_smoothly(self, step_s: float) -> Speeds:
        """At the pace at which the speed of the last following ends in half the time allowed."""
        share = step_s / (0.5 * self.settings.node.result_timeout_s)
        start = self._stopping_from
        most = (abs(start.linear) * share, abs(start.angular) * share)
        return self._changed(STANDING, most)

    def _changed(self, wanted: Speeds, most: tuple[float, float]) -> Speeds:
        now, highest = self._speeds, (self.settings.distance.max, self.settings.bearing.max)
        return Speeds(
            changed_speed(now.linear, wanted.linear, most[0], highest[0]),
            changed_speed(now.angular, wanted.angular, most[1], highest[1]),
        )

    def _explained(self, verdict: _Verdict) -> Command:
        seen = verdict.seen or self._bound
        if self._lost:
            again = "call ~/enable to continue"
            return Command(self._speeds, Phase.LOST, f"{self._lost}; {again}", seen)
        if not self._followed:
            return Command(self._speeds, Phase.WAITING, verdict.reason, seen)
        if not verdict.good:
            return Command(self._speeds, Phase.STOPPED, verdict.reason, seen)
        assert verdict.seen is not None
        unknown = not math.isfinite(verdict.seen.distance_m)
        how = ", turning only: its distance is unknown" if unknown else ""
        return Command(self._speeds, Phase.FOLLOWING, verdict.seen.name + how, seen)


_SILENCE: Final = "no new result, the last one is older than {:g} s (result_timeout_s)"
_REPEATED: Final = "no result of a new image for {:g} s: timestamps do not advance"
_LATE: Final = (
    "by their timestamps, results arrive older than {:g} s (result_timeout_s, stamp_age)"
)
