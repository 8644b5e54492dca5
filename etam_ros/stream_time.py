"""How much time passed between two frames, judged by stamps that may be wrong.

Clocks are set while a robot runs, bags start over, frames overtake each other, two cameras publish
on one topic. Whoever counts by stamps asks here what one more of them means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

NS_PER_S: Final = 1_000_000_000
OTHER_CLOCK_NS: Final = 60 * NS_PER_S
"""Stamps that lie further apart than this come from different clocks: no camera pauses, and no
operator is late, for so long."""
REMEMBERED: Final = 8
"""Frames among which a late one still finds its place."""
LATE_NS: Final = NS_PER_S // 4
"""By so much a frame may be older than all of them: the first two of a stream may be swapped."""


@dataclass(frozen=True)
class TimeStep:
    """From one frame to the next.

    Attributes:
        shift_ns: by how much more stamps changed than time passed; what counts from an earlier
            stamp has to be moved by so much.
        went_back: the stream is at an earlier time, as when a bag starts over.
        leapt: the stamp is of another clock, far ahead.
    """

    shift_ns: int = 0
    went_back: bool = False
    leapt: bool = False


@dataclass(frozen=True)
class StreamTime:
    """The stamps of the last frames, from which the next one is judged.

    Attributes:
        stamps_ns: in the order in which the frames came; frames without a stamp are left out.
        at_present: how many of them, the last ones, came since time went back or leapt.
    """

    stamps_ns: tuple[int, ...] = ()
    at_present: int = 0

    def after(self, stamp_ns: int) -> tuple[StreamTime, TimeStep]:
        """One frame later, and what the step was.

        A frame from among the last ones is late, and no time passed. One from long before all of
        them is what time went back to. One that is far ahead shows that the clock was set.

        Args:
            stamp_ns: of the frame; 0 where it has none.
        """
        if not stamp_ns or not self.stamps_ns:
            return (StreamTime((stamp_ns,), 1) if stamp_ns else self), TimeStep()
        newest_ns = max(self.stamps_ns)
        if stamp_ns < newest_ns:  # of the time before it went back, perhaps
            newest_ns = max(self.stamps_ns[-self.at_present :])
        passed_ns = max(stamp_ns - newest_ns, 0)
        went_back = stamp_ns < min(self.stamps_ns) - LATE_NS
        leapt = passed_ns > OTHER_CLOCK_NS
        if leapt:
            passed_ns = 0
        at_present = 1 if went_back or leapt else min(self.at_present + 1, REMEMBERED)
        later = StreamTime((*self.stamps_ns, stamp_ns)[-REMEMBERED:], at_present)
        return later, TimeStep(stamp_ns - self.stamps_ns[-1] - passed_ns, went_back, leapt)
