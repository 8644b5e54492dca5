"""Everything that can go wrong in a way the user can mend.

    EtamError
    ├── ConfigError          a parameter or option has a value that is invalid
    ├── ImageError           an image message or file cannot be read as a picture
    ├── PromptError          a click, box or mask cannot be applied
    │   └── ObjectError      ... because of the object id it names
    ├── WeightsError         weights are missing, damaged or for another model
    ├── StageError           a stage got or gave a tensor of the wrong shape
    ├── BackendError         a backend, device or precision is not available here
    ├── DeviceMemoryError    a device has too little memory left
    ├── SourceError          a video, folder, camera or bag cannot be read
    │   └── CutSourceError   ... any further: it has ended before its time
    └── TrainingError        a training run cannot begin or go on

A message is one line: what was received, what was expected, what to do.
"""

import errno
from typing import Final

LONGEST: Final = 1200
"""Letters of a message."""
KEPT_BEHIND: Final = 400
"""Letters at its end, which says what to do, where a name or value in it is too long."""


def is_full(error: OSError) -> bool:
    """Whether something could not be written for want of room, which no other right mends."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class EtamError(Exception):
    """Root of all errors that this package raises on purpose.

    Its message stays short enough to be read and logged, whatever it repeats.
    """

    def __str__(self) -> str:
        """The message, without the middle of one that is too long."""
        message = super().__str__()
        if len(message) <= LONGEST:
            return message
        return f"{message[: LONGEST - KEPT_BEHIND]} ... {message[-KEPT_BEHIND:]}"


class ConfigError(EtamError):
    """A parameter or option has a value that is invalid."""


class ImageError(EtamError):
    """An image message or file cannot be read as a picture."""


class PromptError(EtamError):
    """A click, box or mask cannot be applied."""


class ObjectError(PromptError):
    """An object id is unknown, removed, out of range, or there are too many objects."""


class WeightsError(EtamError):
    """Weights are missing, damaged, or belong to another model."""


class StageError(EtamError):
    """A stage got or gave a tensor of the wrong shape."""


class BackendError(EtamError):
    """A backend, device or precision is not available on this machine."""


class DeviceMemoryError(EtamError):
    """A device has too little memory left for what was asked of it."""


class SourceError(EtamError):
    """A video file, image folder, camera or bag cannot be read or written."""


class CutSourceError(SourceError):
    """A source has given the frames that can be read of it, and ends before its time."""


class TrainingError(EtamError):
    """A training run cannot begin or go on."""
