"""A recording that is gone through by hand: picking, and what a page can do beyond a window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from etam_ros.errors import ObjectError, SourceError
from etam_ros.offline.picking.session import Box, PickSession, Point
from etam_ros.records import NEW_OBJECT


class AnnotationSession(PickSession):
    """Prompts by points, boxes and ids, and any frame in one step; arguments as for its base.

    Attributes:
        seen: the highest index that was looked at.
    """

    seen = 0

    def point(
        self, points: Sequence[Point], label: int, box: Box | None, object_id: int | None
    ) -> None:
        """Start or refine an object.

        Args:
            points: (x, y) in source pixels, whose first one says which object is meant.
            label: FOREGROUND or BACKGROUND, of all of them.
            box: (x_min, y_min, x_max, y_max), around a new object unless there is an id.
            object_id: that it is for; None: by the tracker's rule.
        """
        with self._saying():
            if object_id is None:
                object_id = NEW_OBJECT if box else self._meant(points[0], label, same=False)
            labels = [label] * len(points)
            self._prompt(object_id, points=points, point_labels=labels, box=box)
            self.message = self.prompts[-1].place

    def seek(self, index: int, on_frame: Callable[[], bool] = lambda: True) -> None:
        """Look at a frame, onto which every object is followed.

        Args:
            index: of the frame, from 0.
            on_frame: called after each frame on the way forward; False ends it there.
        """
        if index < self.index:
            with self._saying():
                self._go_again(self.prompts, index, lambda: None)
            return
        while self.index < index:
            self.forward()
            self.seen = max(self.seen, self.index)
            if self.failed or not on_frame():
                return

    def end_object(self, object_id: int, on_frame: Callable[[], None] = lambda: None) -> None:
        """Take back every prompt of an object; 0: of all.

        Args:
            object_id: its id.
            on_frame: called after each frame that is gone through again.
        """
        with self._saying():
            kept = tuple(
                item for item in self.prompts if object_id not in (0, item.prompt.object_id)
            )
            if len(kept) == len(self.prompts) and object_id:
                raise ObjectError(f"there is no object {object_id} to remove")
            self._earlier.append(self.prompts)
            self._go_again(kept, self.index, on_frame)
            self.message = f"object {object_id} removed" if object_id else "all objects removed"

    def rename(self, object_id: int, label: str) -> None:
        """Give an object another name, in all that is said of it."""
        with self._saying():
            if object_id in self._tracker.object_ids:
                self._tracker.rename(object_id, label)
            elif all(item.prompt.object_id != object_id for item in self.prompts):
                raise ObjectError(f"there is no object {object_id} to rename")
            self.prompts = tuple(
                replace(item, prompt=replace(item.prompt, label=label))
                if item.prompt.object_id == object_id
                else item
                for item in self.prompts
            )
            self.message = f"object {object_id} is called {label}"

    def again(self) -> None:
        """Go on where it is after somebody else has read the source."""
        with self._saying():
            self._go_again(self.prompts, self.index, lambda: None)

    def check_recorded(self) -> None:
        """Raise SourceError where the source is a camera."""
        if self._source.live:
            raise SourceError(
                f"{self._source.name} is live, expected a recording: for a camera, start "
                "`etam play` and `etam node`, and `etam web` without a source"
            )
