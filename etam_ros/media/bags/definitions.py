"""From the bytes of a message to its fields, with the definition stored in the bag."""

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
"""Fields of messages that are not part of ROS, for bags without definitions."""
_READ_AS_KNOWN: Final = (
    "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage", COMPRESSED_VIDEO, FFMPEG_PACKET,
    PROMPT, TRACK_EVENT, TRACKED_OBJECT_ARRAY,
)  # fmt: skip
"""Types whose fields are required, regardless of a bag's own definition."""
_CAME_LATER: Final = {
    "pieces", "main_piece_share", "bearing", "position", "position_spread", "time_since_seen",
    "last_box", "last_centroid",
}  # fmt: skip
"""Fields of TrackedObject that are not read from bags, so that older versions may lack them."""
_MOST_OF_AN_ARRAY: Final = 1024
"""Limit for messages or texts in an array of fixed length, as rosbags makes code for each."""
_FLOATS: Final = ("float32", "float64", "float128")
_TEXTS: Final = ("string", "wstring")
_IDL_RULE: Final = "=" * 80 + "\n"


@cache
def known_types() -> Typestore:
    """The messages of ROS 2 Jazzy, those of this package (from `msg/`), and packets of video.

    The result is shared and must not be modified.
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

    A type is read as defined in the bag, so that messages of an older version keep their fields;
    without such a definition, as defined by ROS 2 Jazzy or this package.
    """

    def __init__(self, *, ros1: bool = False) -> None:
        self._ros1 = ros1
        self._definitions: dict[str, tuple[str, str]] = {}
        self._stores: dict[str, Typestore] = {}

    def learn(self, message_type: str, form: str, text: str) -> None:
        """Use the definition of a type from the bag.

        Args:
            message_type: such as sensor_msgs/msg/Image.
            form: format of the text: "msg", or "idl".
            text: the definition, including those of all types in it; empty if the bag has none.
        """
        if text:
            self._definitions.setdefault(message_type, (form, text))

    def read(self, data: bytes | memoryview, message_type: str) -> Any:
        """The fields of a message, by name; arrays of numbers are views of its bytes.

        Raises:
            SourceError: there is no definition of the type, or the message is damaged.
        """
        store = self._stores.get(message_type)
        if store is None:
            store = self._stores[message_type] = self._store_of(message_type)
        try:
            if self._ros1:
                return store.deserialize_ros1(data, message_type)
            return store.deserialize_cdr(data, message_type)
        except Exception as error:  # any error of the reader on damaged bytes
            raise SourceError(
                f"a message of {len(data)} bytes is not a {message_type} ({one_line(error)})"
            ) from error

    def _store_of(self, message_type: str) -> Typestore:
        from rosbags.typesys import Stores, get_typestore

        if message_type in self._definitions:
            store = get_typestore(Stores.EMPTY)
            try:
                types = _parsed(*self._definitions[message_type], message_type)
                _check_arrays(types)
                store.register(types)
                store.get_msgdef(message_type)
            except Exception:  # rosbags cannot read this definition, but we may have one
                if message_type not in known_types().fielddefs:
                    raise SourceError(
                        f"the definition of {message_type} in the bag cannot be read, expected "
                        "that of a ROS 2 message"
                    ) from None
            else:
                if message_type in _READ_AS_KNOWN:
                    _check_fields(message_type, types)
                return store
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


def _check_arrays(types: Any) -> None:
    """Raise ValueError for an array whose code would take minutes to make, and gigabytes."""
    for _, fields in types.values():
        for _, (node, described) in fields:
            plain = node.name != "ARRAY" or _kind(described[0]).endswith("number")
            if not plain and described[1] > _MOST_OF_AN_ARRAY:
                raise ValueError(f"an array of {described[1]}")


def _check_fields(message_type: str, types: Any) -> None:
    """Raise SourceError unless the bag's definition has all required fields with their types."""
    theirs = dict(types[message_type][1])
    for name, ours in known_types().fielddefs[message_type][1]:
        if name not in theirs and message_type == TRACKED_OBJECT and name in _CAME_LATER:
            continue
        if name not in theirs or _kind(theirs[name]) != _kind(ours):
            is_there = f"as a {_kind(theirs[name])}" if name in theirs else "not at all"
            raise SourceError(
                f"the definition of {message_type} in the bag has the field {name} {is_there}, "
                f"expected a {_kind(ours)}: its recorder used another message of that name"
            )
        nested = _named_in(ours)
        if nested in types and name not in _CAME_LATER:  # ROS 1 does not define its times
            _check_fields(nested, types)


def _named_in(described: Any) -> str:
    """The type of the message or messages in a field; empty for other fields."""
    node, inner = described
    if node.name in ("ARRAY", "SEQUENCE"):
        return _named_in(inner[0])
    return str(inner) if node.name == "NAME" else ""


def _kind(described: Any) -> str:
    """The Python type of a field, for messages."""
    node, inner = described
    if node.name in ("ARRAY", "SEQUENCE"):
        return f"list of {_kind(inner[0])}"
    if node.name == "NAME":
        return str(inner)
    if inner[0] in _TEXTS:
        return "text"
    return "number" if inner[0] in _FLOATS else "whole number"


def one_line(error: BaseException) -> str:
    """The message of a library's error, as one short line."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:157]}..."
