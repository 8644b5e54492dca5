"""From the bytes of a message to its fields, by the definition that the bag brings with it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

from etam_ros.errors import SourceError
from etam_ros.paths import share_file

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore

PACKAGE: Final = "etam_ros"
OUR_MESSAGES: Final = ("Prompt", "TrackEvent", "TrackedObject", "TrackedObjectArray")
PROMPT: Final = f"{PACKAGE}/msg/Prompt"
TRACK_EVENT: Final = f"{PACKAGE}/msg/TrackEvent"
TRACKED_OBJECT: Final = f"{PACKAGE}/msg/TrackedObject"
TRACKED_OBJECT_ARRAY: Final = f"{PACKAGE}/msg/TrackedObjectArray"
COMPRESSED_VIDEO: Final = "foxglove_msgs/msg/CompressedVideo"
FFMPEG_PACKET: Final = "ffmpeg_image_transport_msgs/msg/FFMPEGPacket"
_OF_OTHERS: Final = {
    COMPRESSED_VIDEO: (
        "builtin_interfaces/Time timestamp",
        "string frame_id",
        "uint8[] data",
        "string format",
    ),
    FFMPEG_PACKET: (
        "std_msgs/Header header",
        "int32 width",
        "int32 height",
        "string encoding",
        "uint64 pts",
        "uint8 flags",
        "bool is_bigendian",
        "uint8[] data",
    ),
}
"""Fields of messages that ROS does not bring, for bags of recorders that kept no definitions."""
_IDL_RULE: Final = "=" * 80 + "\n"


@cache
def known_types() -> Typestore:
    """The messages of ROS 2 Jazzy, our own by the files of `msg/`, and packets of video.

    Not to be changed.
    """
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.ROS2_JAZZY)
    for name in OUR_MESSAGES:
        text = share_file(f"msg/{name}.msg").read_text(encoding="utf-8")
        store.register(get_types_from_msg(text, f"{PACKAGE}/msg/{name}"))
    for message_type, lines in _OF_OTHERS.items():
        store.register(get_types_from_msg("\n".join(lines) + "\n", message_type))
    return store


class MessageReader:
    """Reads messages of one bag.

    A type is read as the bag defines it, so that messages of an older version keep their fields;
    where the bag does not say, as ROS 2 Jazzy or this package define it.
    """

    def __init__(self, *, ros1: bool = False) -> None:
        self._ros1 = ros1
        self._definitions: dict[str, tuple[str, str]] = {}
        self._stores: dict[str, Typestore] = {}

    def learn(self, message_type: str, form: str, text: str) -> None:
        """Take the definition of a type from the bag.

        Args:
            message_type: sensor_msgs/msg/Image.
            form: how it is written: "msg", or "idl".
            text: with those of all types in it; empty where the bag has none.
        """
        if text:
            self._definitions.setdefault(message_type, (form, text))

    def read(self, data: bytes, message_type: str) -> Any:
        """The fields of a message, by name.

        Raises:
            SourceError: nobody says what is in such a message, or it is damaged.
        """
        store = self._stores.get(message_type)
        if store is None:
            store = self._stores[message_type] = self._store_of(message_type)
        try:
            if self._ros1:
                return store.deserialize_ros1(data, message_type)
            return store.deserialize_cdr(data, message_type)
        except Exception as error:  # whatever its reader stumbles over in damaged bytes
            raise SourceError(
                f"a message of {len(data)} bytes is no {message_type} ({one_line(error)})"
            ) from error

    def _store_of(self, message_type: str) -> Typestore:
        from rosbags.typesys import Stores, get_typestore

        if message_type in self._definitions:
            store = get_typestore(Stores.EMPTY)
            try:
                store.register(_parsed(*self._definitions[message_type], message_type))
                store.get_msgdef(message_type)
                return store
            except Exception:  # a definition that rosbags cannot read: perhaps we have one
                if message_type not in known_types().fielddefs:
                    raise SourceError(
                        f"the definition of {message_type} in the bag cannot be read, expected "
                        "that of a ROS 2 message"
                    ) from None
        if message_type not in known_types().fielddefs:
            raise SourceError(
                f"the bag does not define its {message_type}, expected a bag with message "
                "definitions: convert it with `ros2 bag convert` where that package is installed"
            )
        return known_types()


def _parsed(form: str, text: str, message_type: str) -> Any:
    from rosbags.typesys import get_types_from_idl, get_types_from_msg

    if form != "idl":
        return get_types_from_msg(text, message_type)
    if not text.startswith(f"{_IDL_RULE}IDL: "):
        return get_types_from_idl(text)
    types: dict[str, Any] = {}
    for piece in text.split(_IDL_RULE)[1:]:
        types.update(get_types_from_idl(piece.partition("\n")[2]))
    return types


def one_line(error: BaseException) -> str:
    """What an error of somebody else's says, as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
