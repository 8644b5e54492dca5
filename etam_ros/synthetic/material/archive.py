"""Training material in one file: JPEG pictures and PNG labels in an .npz, read without pickle."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from etam_ros.errors import SourceError
from etam_ros.media.files import writing_whole
from etam_ros.synthetic.material.records import (
    Material,
    Partition,
    Photograph,
    Track,
)

Bytes = NDArray[np.uint8]

_FORMAT: Final = "etam_ros training material 2"
_QUALITIES: Final = (88, 80, 70, 60, 50, 40)


def pack_material(material: Material, path: Path, *, max_bytes: int) -> int:
    """Write material to one file of JPEG and PNG pictures, coarser where it must be to fit.

    Returns:
        the size of the file in bytes.

    Raises:
        SourceError: it cannot be made to fit, or the file cannot be written.
    """
    size = 0
    for quality in _QUALITIES:
        arrays = _arrays(material, quality)
        size = sum(array.nbytes for array in arrays.values()) + 1024 * len(arrays)
        if size > max_bytes:
            continue
        with writing_whole(path) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stubs want one array
        return path.stat().st_size
    raise SourceError(
        f"material needs {size / 2**20:.1f} MiB at the lowest quality, expected at most "
        f"{max_bytes / 2**20:.1f} MiB: pack fewer or smaller pictures"
    )


def _arrays(material: Material, quality: int) -> dict[str, NDArray[np.generic]]:
    photographs, footage, tracks = material.photographs, material.footage, material.tracks
    partitions = [each for known in photographs for each in (known.truth, known.regions)]
    members = [
        np.zeros((0, 256), np.bool_),
        *(each.members for each in partitions if each is not None),
    ]
    places = [(track.piece, track.first, len(track.masks)) for track in tracks]
    return {
        "format": np.array(_FORMAT),
        **_joined("images", [_jpeg(each.image, quality) for each in photographs]),
        **_joined("labels", [b"" if each is None else _png(each.labels) for each in partitions]),
        "members": np.packbits(np.concatenate(members), axis=1),
        "member_counts": np.array(
            [0 if each is None else len(each) for each in partitions], np.int64
        ),
        **_joined("footage", [_jpeg(frame, quality) for piece in footage for frame in piece]),
        "footage_frames": np.array([len(piece) for piece in footage], np.int64),
        **_joined("tracks", [_png(mask) for track in tracks for mask in track.masks]),
        "track_places": np.array(places, np.int64).reshape(-1, 3),
    }


def _joined(name: str, pieces: Sequence[bytes]) -> dict[str, NDArray[np.generic]]:
    """Byte strings of any length as one array, and where each ends."""
    ends = np.cumsum([len(piece) for piece in pieces], dtype=np.int64)
    return {f"{name}_data": np.frombuffer(b"".join(pieces), np.uint8), f"{name}_ends": ends}


def _jpeg(image: Bytes, quality: int) -> bytes:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _png(labels: Bytes) -> bytes:
    return cv2.imencode(".png", labels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def read_pack(path: Path) -> Material:
    """Read what `pack_material` wrote.

    Raises:
        SourceError: the file is missing, damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile) or "format" not in file.files:
                raise ValueError("it has other contents")
            if str(file["format"]) != _FORMAT:
                raise ValueError(f"its format is {str(file['format'])!r}")
            arrays = {name: file[name] for name in file.files}
        return _material(arrays)
    except FileNotFoundError:
        raise SourceError(f"{path} does not exist, expected packed training material") from None
    except (OSError, ValueError, KeyError, EOFError, IndexError, AttributeError, TypeError,
            zipfile.BadZipFile, zlib.error, cv2.error, StopIteration) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"{path} is not readable as packed training material ({reason}), expected a file "
            "written by pack_material: pack it again"
        ) from None


def _material(arrays: dict[str, NDArray[np.generic]]) -> Material:
    images = _split(arrays, "images")
    labels = _split(arrays, "labels")
    members = np.unpackbits(np.asarray(arrays["members"], np.uint8), axis=1).astype(np.bool_)
    stops = np.cumsum(arrays["member_counts"])
    if len(labels) != 2 * len(images) or len(stops) != len(labels):
        raise ValueError("its parts do not fit together")
    partitions = [
        Partition(_decode(data, grey=True), members[stop - count : stop]) if len(data) else None
        for data, stop, count in zip(labels, stops, arrays["member_counts"], strict=True)
    ]
    photographs = []
    for data, truth, regions in zip(images, partitions[::2], partitions[1::2], strict=True):
        image = _decode(data)
        if regions is None or regions.labels.shape != image.shape[:2]:
            raise ValueError("labels and pictures differ in size")
        photographs.append(Photograph(image, truth, regions))
    frames = [_decode(data) for data in _split(arrays, "footage")]
    ends = np.cumsum(arrays["footage_frames"])
    starts = ends - arrays["footage_frames"]
    footage = [np.stack(frames[a:b]) for a, b in zip(starts, ends, strict=True)]
    return Material(tuple(photographs), tuple(footage), _tracks(arrays, footage))


def _tracks(arrays: dict[str, NDArray[np.generic]], footage: list[Bytes]) -> tuple[Track, ...]:
    masks = iter(_split(arrays, "tracks"))
    tracks = []
    for piece, first, count in np.asarray(arrays["track_places"], np.int64).tolist():
        outlines = np.stack([_decode(next(masks), grey=True) for _ in range(count)])
        if footage[piece][first : first + count].shape[:3] != outlines.shape:
            raise ValueError("a track does not fit its video")
        tracks.append(Track(piece, first, outlines))
    return tuple(tracks)


def _split(arrays: dict[str, NDArray[np.generic]], name: str) -> Sequence[Bytes]:
    data, ends = np.asarray(arrays[f"{name}_data"], np.uint8), arrays[f"{name}_ends"]
    if len(ends) and int(ends[-1]) != len(data):
        raise ValueError("it is truncated")
    return np.split(data, ends[:-1].astype(np.int64)) if len(ends) else []


def _decode(data: Bytes, *, grey: bool = False) -> Bytes:
    picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError("a picture in it is damaged")
    if not grey:
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return np.asarray(picture, np.uint8)
