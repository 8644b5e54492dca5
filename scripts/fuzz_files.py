"""What reads files, and how files are damaged: the targets of fuzz.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np

Seeds = list[tuple[str, bytes]]
"""Suffixes, and whole files to begin with."""

NUMBERS: Final = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
VALUES: Final = (
    "null", "true", "-1", "0", "1", "255", "256", "65536", "1e400", "-0.0", "NaN", "Infinity",
    "9223372036854775808", '""', '"\\ud800"', '"\\u0000"', '"../../x"', '"/dev/zero"', "[]", "{}",
    "[[]]", '{"a": 1}', "false", "2", "3.5", "[3, 4]", "[[5, 6]]", '"cup"', "[" * 2000,
    '"' + "x" * 5000 + '"',
)  # fmt: skip
MOST_FRAMES: Final = 64


@dataclass(frozen=True)
class Target:
    """Something that reads files.

    Attributes:
        name: for the command line and the corpus.
        seeds: writes into a folder what has to lie beside an input, and gives whole inputs.
        take: reads one; raises EtamError where it cannot.
        own: damage that this kind of input takes, beside that of bytes; told its suffix.
    """

    name: str
    seeds: Callable[[Path], Seeds]
    take: Callable[[Path], object]
    own: Callable[[bytearray, np.random.Generator, str], bytearray] | None = None


def made(target: Target, seeds: Seeds, seed: int, number: int) -> tuple[str, bytes]:
    """The suffix and the content of an input: always the same."""
    rng = np.random.default_rng([seed, number])
    suffix, whole = seeds[int(rng.integers(len(seeds)))]
    content = bytearray(whole)
    own_alone = target.own is not None and rng.random() < 0.5  # bytes seldom get far
    for _ in range(int(rng.integers(1, 5))):
        if target.own is not None and (own_alone or rng.random() < 0.4):
            content = target.own(content, rng, suffix)
        else:
            other = seeds[int(rng.integers(len(seeds)))][1]
            content = damage(content, rng, other)
    return suffix, bytes(content)


def damage(content: bytearray, rng: np.random.Generator, other: bytes) -> bytearray:
    """One of the things that happen to files."""
    size = len(content)
    at, length = int(rng.integers(size + 1)), int(rng.geometric(0.02))
    way = int(rng.integers(7))
    if way == 0:  # bits
        for place in rng.integers(0, max(1, size), int(rng.integers(1, 9))):
            if size:
                content[place] ^= 1 << int(rng.integers(8))
    elif way == 1:  # a number
        width = 1 << int(rng.integers(4))
        value = NUMBERS[int(rng.integers(len(NUMBERS)))] & (256**width - 1)
        content[at : at + width] = value.to_bytes(width, "big" if rng.random() < 0.5 else "little")
    elif way == 2:  # cut off
        del content[at:]
    elif way == 3:  # lost
        del content[at : at + length]
    elif way == 4:  # twice
        content[at:at] = content[at : at + length]
    elif way == 5:  # noise
        content[at : at + length] = rng.integers(0, 256, length, np.uint8).tobytes()
    else:  # of another file
        begin = int(rng.integers(len(other) + 1))
        content[at : at + length] = other[begin : begin + length]
    return content


def exchange(content: bytearray, rng: np.random.Generator, _suffix: str) -> bytearray:
    """Put another value in the place of one of a JSON text, or another name for a key."""
    text = content.decode(errors="replace")
    marks = [index for index, letter in enumerate(text) if letter in ':,[{"']
    if not marks:
        return content
    begin = marks[int(rng.integers(len(marks)))] + 1
    end = begin
    while end < len(text) and text[end] not in ",]}":
        end += 1
    value = VALUES[int(rng.integers(len(VALUES)))]
    return bytearray((text[:begin] + value + text[end:]).encode(errors="replace"))


def picture(number: int, hw: tuple[int, int] = (48, 64)) -> np.ndarray:
    """Shapes and a little noise."""
    rng = np.random.default_rng(number)
    image = rng.integers(0, 60, (*hw, 3)).astype(np.uint8)
    image[8:30, 4 + 4 * number : 24 + 4 * number] = (200, 90, 30)
    return image


def write_video(path: Path, codec: str) -> bytes:
    """Six frames."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(6):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def video_seeds(folder: Path) -> Seeds:
    """The containers that people have."""
    kinds = ((".mp4", "libx264"), (".mkv", "libx264"), (".avi", "mpeg4"), (".ts", "mpeg4"))
    return [(suffix, write_video(folder / f"whole{suffix}", codec)) for suffix, codec in kinds]


def read_bag(path: Path) -> None:
    """Read frames, as every command does; the stamps of a bag are kept, however odd."""
    from etam_ros.media.sources import open_source

    with open_source(path) as source:
        for _ in islice(source, MOST_FRAMES):
            pass


def read_video(path: Path) -> None:
    """Read frames, whose stamps go up."""
    from etam_ros.media.sources import open_source

    with open_source(path) as source:
        last = -1
        for frame in islice(source, MOST_FRAMES):
            if frame.stamp_ns <= last:
                raise AssertionError(f"time stands still at {frame.stamp_ns}")
            last = frame.stamp_ns


def picture_seeds(_folder: Path) -> Seeds:
    """The kinds of pictures that are read."""
    import cv2

    plain = picture(0, (24, 32))
    deep = plain.astype(np.uint16) * 257
    found = [
        (suffix, cv2.imencode(suffix, plain)[1].tobytes())
        for suffix in (".jpg", ".png", ".bmp", ".webp", ".tiff")
    ]
    return [*found, (".png", cv2.imencode(".png", deep)[1].tobytes())]


def read_picture(path: Path) -> None:
    """Read it as a picture, and as a mask."""
    from etam_ros.errors import ImageError
    from etam_ros.media.label_png import read_mask_values
    from etam_ros.media.sources import read_image

    try:
        if read_mask_values(path).ndim != 2:
            raise AssertionError("a mask has two dimensions")
    except ImageError as error:
        if "\n" in str(error):
            raise AssertionError(str(error)) from error
    image = read_image(path)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise AssertionError(f"a picture of shape {image.shape}")


def prompt_seeds(folder: Path) -> Seeds:
    """A prompts file with all that there is in one, and its mask."""
    import cv2

    cv2.imwrite(str(folder / "mask.png"), np.eye(24, 32, dtype=np.uint8))
    entries = [
        {"frame": 0, "object_id": 1, "label": "cup", "points": [[3, 4]], "labels": [1]},
        {"frame": 3, "object_id": 2, "box": [1, 2, 9.5, 8]},
        {"stamp_ns": 17, "object_id": 3, "mask": "mask.png", "mask_value": 1},
        {"frame": 4, "object_id": 1, "points": [[1, 1]], "labels": [0], "keep": True},
    ]
    return [(".json", json.dumps(entries).encode())]


def read_prompts_file(path: Path) -> None:
    """Read it, and what a run makes of it."""
    from etam_ros.offline.prompts_file import read_prompts
    from etam_ros.offline.track_run import with_ids

    for item in with_ids(read_prompts(path)):
        item.prompt.label.encode()


def record_seeds(_folder: Path) -> Seeds:
    """A run.json."""
    from etam_ros.media.run_record import RunRecord

    record = RunRecord("track", "clip.mp4", "etam_nano", "complete", files=("masks",))
    return [(".json", record.as_bytes())]


def read_run_record(path: Path) -> None:
    """Read it as what marks a folder as ours."""
    from etam_ros.media.result_kind import check_result_folder
    from etam_ros.offline.output_folder import TRACKED

    out = path.parent / "out"
    out.mkdir(exist_ok=True)
    (out / "run.json").write_bytes(path.read_bytes())
    check_result_folder(out, TRACKED, "clip.mp4")


def manifest_seeds(folder: Path) -> Seeds:
    """The manifest of an export that lies beside it."""
    from etam_ros.model.config import TINY_TEST
    from etam_ros.model.network import EfficientTAM
    from etam_ros.runtime.backends.torch.stages import constants_of, sizes_of
    from etam_ros.runtime.exported import MANIFEST, write_export

    network = EfficientTAM(TINY_TEST)

    def export(making: Path) -> list[str]:
        (making / "encode_image.onnx").write_bytes(b"graph")
        return ["encode_image"]

    written = write_export(folder, _key(), sizes_of(network), constants_of(network), export)
    whole = (written.folder / MANIFEST).read_bytes()
    (folder / "whole.json").write_bytes(whole)
    return [(".json", whole)]


def _key() -> object:
    from etam_ros.runtime.exported import ExportKey

    return ExportKey("tiny_test", "0" * 64, "fp32", 18)


def read_manifest(path: Path) -> None:
    """Look for the export: there is none as soon as anything has changed."""
    from etam_ros.errors import BackendError
    from etam_ros.runtime.exported import MANIFEST, find_export

    key = _key()
    (path.parent / key.folder / MANIFEST).write_bytes(path.read_bytes())
    found = find_export(path.parent, key)
    if found is None:
        raise BackendError("there is no export")
    if json.loads(path.read_bytes()) != json.loads((path.parent / "whole.json").read_bytes()):
        raise AssertionError("a manifest that was changed is taken")


def weight_seeds(folder: Path) -> Seeds:
    """Checkpoints of either kind."""
    import torch
    from safetensors.torch import save_file

    state = {"a.weight": torch.ones(3, 4), "b.bias": torch.zeros(2)}
    save_file(state, folder / "whole.safetensors")
    torch.save({"model": state}, folder / "whole.pt")
    return [(name, (folder / f"whole{name}").read_bytes()) for name in (".safetensors", ".pt")]


def read_weights(path: Path) -> None:
    """Read it, and hold it against a network."""
    from etam_ros.model.checkpoint import check_state_dict, read_state_dict

    expected = dict(read_state_dict(path.parent / "whole.pt"))
    check_state_dict(read_state_dict(path), expected, source=str(path), model="tiny")


def bag_seeds(folder: Path) -> Seeds:
    """A camera, recorded in either storage."""
    from etam_ros.media.bags import messages
    from etam_ros.media.bags.writer import BagWriter

    found = []
    for storage, suffix in (("mcap", ".mcap"), ("sqlite3", ".db3")):
        bag = folder / f"whole_{storage}"
        if not bag.exists():
            with BagWriter(bag, storage) as writer:
                for number in range(4):
                    head = messages.header(10**9 * number + 1, "camera")
                    image = messages.image(picture(number, (24, 32)), "rgb8", head)
                    writer.write("/camera/image", image, 10**9 * number)
        (file,) = bag.glob(f"*{suffix}")
        found.append((suffix, file.read_bytes()))
    return found


FILES: Final[Sequence[Target]] = (
    Target("videos", video_seeds, read_video),
    Target("pictures", picture_seeds, read_picture),
    Target("prompts", prompt_seeds, read_prompts_file, exchange),
    Target("records", record_seeds, read_run_record, exchange),
    Target("manifests", manifest_seeds, read_manifest, exchange),
    Target("weights", weight_seeds, read_weights),
    Target("bags", bag_seeds, read_bag),
)
