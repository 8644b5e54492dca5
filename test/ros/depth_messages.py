"""Depth messages as drivers send them."""

from array import array

import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def depth_message(metres, encoding="32FC1", big_endian=False, padding=0, frame_id="camera"):
    """As a driver sends it, its rows padded by so many bytes."""
    kind = "f4" if encoding == "32FC1" else "u2"
    values = metres if kind == "f4" else np.round(np.nan_to_num(metres) * 1000)
    packed = values.astype(f"{'>' if big_endian else '<'}{kind}")
    rows = packed.view(np.uint8).reshape(len(metres), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=77)
    return Image(
        header=Header(frame_id=frame_id), height=metres.shape[0], width=metres.shape[1],
        encoding=encoding, is_bigendian=int(big_endian), step=rows.shape[1],
        data=array("B", rows.tobytes()),
    )  # fmt: skip
