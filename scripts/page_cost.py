#!/usr/bin/env python3
"""What the page costs: CPU time of each process, and the tracker's frame rate, in turns.

    python scripts/page_cost.py                         nobody, and one viewer
    python scripts/page_cost.py --viewers 0,50          50, of whom one never reads
    python scripts/page_cost.py --in-tracker            `etam node --web` instead of /console
    python scripts/page_cost.py --stand-in              the clip's truth instead of a tracker
    python scripts/page_cost.py --model etam_nano --weights "" --rate 60   a busy tracker

Camera, tracker, /console and the viewers are processes of their own, on a ROS domain of their
own. Every viewer says that it has seen a picture as soon as it has it, as a page does. One row
for each number of viewers: the median of --rounds windows, which take turns. CPU is in percent of
one core; ms/result is the tracker's CPU time for one result, which tells on a busy machine, too.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

SEED: Final = 106
PICTURES: Final = 30
SETTLE_S: Final = 3.0
PATIENCE_S: Final = 120.0
HEADER_BYTES: Final = 4


def camera(rate_hz: float, width: int, height: int, objects: int) -> None:
    """Publish a clip on and on, scaled to a size; and what a tracker says of so many objects."""
    import rclpy
    from builtin_interfaces.msg import Time
    from etam_ros.msg import TrackedObjectArray
    from sensor_msgs.msg import Image
    from std_msgs.msg import Header

    from etam_ros.synthetic.scene.clips import generate_clip

    rclpy.init(args=[])
    node, header = rclpy.create_node("camera"), Header(frame_id="camera")
    publishers = [node.create_publisher(Image, "image", 1)]
    if objects:
        publishers.append(node.create_publisher(Image, "/tracker/label_image", 2))
        publishers.append(node.create_publisher(TrackedObjectArray, "/tracker/objects", 10))
    playing = [
        messages_of(each.image, each.label_image, (width, height), header, objects)
        for each in itertools.islice(generate_clip(SEED, frames=90), PICTURES)
    ]
    due_s = time.monotonic()
    for messages in itertools.cycle([*playing, *reversed(playing)]):
        seconds, nanoseconds = divmod(time.time_ns(), 10**9)
        header.stamp = Time(sec=seconds, nanosec=nanoseconds)
        for publisher, message in zip(publishers, messages, strict=False):
            publisher.publish(message)
        due_s = max(due_s + 1.0 / rate_hz, time.monotonic() - 0.1)
        time.sleep(max(0.0, due_s - time.monotonic()))


def messages_of(
    picture: Any, labels: Any, size: tuple[int, int], header: Any, most: int
) -> list[Any]:
    """A picture, labels and at most so many objects, scaled to a size, as messages."""
    from etam_ros.msg import TrackedObject, TrackedObjectArray
    from geometry_msgs.msg import Point
    from sensor_msgs.msg import RegionOfInterest

    from etam_ros.ros.image_conversion import image_message

    labels = cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST)
    ids, objects = sorted({*labels.flat} - {0})[:most], []
    labels[~np.isin(labels, ids)] = 0
    for object_id in ids:
        mask = (labels == object_id).view("uint8")
        x, y, width, height = cv2.boundingRect(mask)
        objects.append(
            TrackedObject(
                id=int(object_id),
                visibility=1.0,
                iou_score=0.9,
                box=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
                centroid=Point(x=x + width / 2, y=y + height / 2),
                mask=image_message(255 * mask[y : y + height, x : x + width], "mono8", header),
            )
        )
    return [
        image_message(cv2.resize(picture, size), "rgb8", header),
        image_message(labels, "16UC1", header),
        TrackedObjectArray(header=header, objects=objects, latency_ms=1.0),
    ]


async def look(port: int, counts: list[int], index: int) -> None:
    """Be one viewer: see pictures, and say so."""
    from websockets.asyncio.client import connect

    origin: Any = f"http://127.0.0.1:{port}"
    address = f"ws://127.0.0.1:{port}/live"
    async with connect(address, origin=origin, compression=None, max_size=None) as socket:
        async for data in socket:
            if isinstance(data, bytes):
                length = int.from_bytes(data[:HEADER_BYTES], "big")
                number = json.loads(data[HEADER_BYTES : HEADER_BYTES + length])["n"]
                await socket.send(json.dumps({"do": "seen", "n": number}))
                counts[index] += 1


async def be_deaf(port: int) -> None:
    """Be a viewer whose socket is never read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    lines = (
        "GET /live HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: http://127.0.0.1:{port}",
        "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    )  # fmt: skip
    writer.write("\r\n".join(lines).encode())
    await asyncio.Event().wait()
    del reader


async def viewers(port: int, count: int) -> None:
    """Be so many viewers; from two on, one of them is deaf. Prints how many pictures each saw."""
    counts = [0] * (count if count < 2 else count - 1)
    tasks = [asyncio.ensure_future(look(port, counts, index)) for index in range(len(counts))]
    if count > 1:
        tasks.append(asyncio.ensure_future(be_deaf(port)))
    while True:
        print(json.dumps(counts), flush=True)
        await asyncio.wait(tasks, timeout=0.2)
        for task in tasks:
            if task.done():
                task.result()


def cpu_s(pid: int) -> float:
    """CPU time that a process has taken, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Listener:
    """Counts the tracker's results, and asks it to follow something first."""

    def __init__(self) -> None:
        import rclpy
        from etam_ros.msg import TrackedObjectArray
        from etam_ros.srv import AddPrompt

        rclpy.init(args=[])
        self.results = 0
        self._node = rclpy.create_node("listener")
        self._client = self._node.create_client(AddPrompt, "/tracker/add_prompt")
        self._node.create_subscription(
            TrackedObjectArray, "/tracker/objects", self._count, 10, raw=True
        )
        threading.Thread(target=rclpy.spin, args=(self._node,), daemon=True).start()

    def _count(self, _: bytes) -> None:
        self.results += 1

    def follow(self, width: int, height: int, objects: int) -> None:
        """Boxes beside each other."""
        from etam_ros.msg import Prompt
        from etam_ros.srv import AddPrompt

        until(self._client.service_is_ready, "the tracker")
        for index in range(objects):
            side = width / (2 * objects + 1)
            left = side * (1 + 2 * index)
            box = [left, height * 0.3, left + side, height * 0.6]
            request = AddPrompt.Request(prompt=Prompt(box=box))
            answer = self._client.call(request)
            if not answer.success:
                raise SystemExit(f"the tracker refuses a box: {answer.message}")


def until(condition: Any, what: str) -> None:
    """Wait for something."""
    end_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end_s:
            raise SystemExit(f"gave up waiting for {what}")
        time.sleep(0.05)


def window(processes: Any, names: list[str], listener: Listener, seconds: float) -> dict[str, Any]:
    """CPU share of each process in percent, results and pictures a second."""

    def now() -> dict[str, Any]:
        seen = [0]
        if "viewers" in names:
            seen = json.loads(processes.log("viewers").read_text().splitlines()[-1])
        cpu = {name: cpu_s(processes.pid(name)) for name in names}
        return {"s": time.monotonic(), "results": listener.results, "seen": seen, "cpu": cpu}

    first = now()
    time.sleep(seconds)
    last = now()
    took_s = last["s"] - first["s"]
    rates = [(b - a) / took_s for a, b in zip(first["seen"], last["seen"], strict=True)]
    found = {name: 100 * (last["cpu"][name] - first["cpu"][name]) / took_s for name in names}
    results = (last["results"] - first["results"]) / took_s
    if "tracker" in found and results:
        found["ms/result"] = 10 * found["tracker"] / results
    return {**found, "results": results, "slowest": min(rates), "fastest": max(rates)}


def measure(arguments: argparse.Namespace, environment: dict[str, str], folder: Path) -> None:
    """Print the table."""
    from etam_ros.ros.harness.process_group import ProcessGroup

    width, height = (int(each) for each in arguments.size.split("x"))
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parent), *filter(None, [environment.get("PYTHONPATH")])]
    )
    environment["OMP_NUM_THREADS"] = "1"
    counts = [int(each) for each in arguments.viewers.split(",")]
    ros = ["--ros-args", "-p", f"model:={arguments.model}"]
    ros += ["-p", f"weights:={arguments.weights}"] if arguments.weights else []
    ros += ["--log-level", "warn"]
    with ProcessGroup(environment, folder) as processes:
        size = ["camera", str(arguments.rate), str(width), str(height)]
        processes.start(
            "camera", "page_cost", [*size, str(arguments.objects if arguments.stand_in else 0)]
        )
        names = ["camera"]
        page = ["--web", "--port", "0"] if arguments.in_tracker else []
        if not arguments.stand_in:
            processes.start("tracker", "etam_ros.cli.main", ["node", *page, *ros])
            names.append("tracker")
        if not arguments.in_tracker:
            console = ["--ros-args", "-p", "port:=0", "-p", "tracker:=/tracker"]
            processes.start("console", "etam_ros.ros.console.executable", console)
            names.append("console")
        log = processes.log(names[-1])
        until(lambda: "Open http" in log.read_text(), "the page")
        port = log.read_text().partition("127.0.0.1:")[2].partition("/")[0]
        os.environ.update(environment)
        listener = Listener()
        until(lambda: listener.results > 0, "a first result")
        if not arguments.stand_in:
            listener.follow(width, height, arguments.objects)
        found: dict[int, list[dict[str, Any]]] = {count: [] for count in counts}
        for _ in range(arguments.rounds):
            for count in counts:
                with_viewers = [*names, "viewers"] if count else names
                if count:
                    processes.start("viewers", "page_cost", ["viewers", port, str(count)])
                time.sleep(SETTLE_S)
                found[count].append(window(processes, with_viewers, listener, arguments.seconds))
                if count:
                    processes.check("viewers")
                    processes.end("viewers")
        report(found)


def report(found: dict[int, list[dict[str, Any]]]) -> None:
    """Print medians; CPU in percent of one core, rates a second."""
    columns = list(dict.fromkeys(key for rows in found.values() for row in rows for key in row))
    print("viewers", *(f"{each:>9}" for each in columns))
    for count, rows in found.items():
        medians = [
            f"{statistics.median(row[each] for row in rows):9.1f}" if each in rows[0] else 9 * " "
            for each in columns
        ]
        print(f"{count:7}", *medians)


def main() -> int:
    """Measure, or be one of those who take part."""
    if sys.argv[1:2] == ["camera"]:
        rate, width, height, objects = sys.argv[2:]
        camera(float(rate), int(width), int(height), int(objects))
    elif sys.argv[1:2] == ["viewers"]:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        asyncio.run(viewers(int(sys.argv[2]), int(sys.argv[3])))
    else:
        parser = argparse.ArgumentParser(
            description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        parser.add_argument("--viewers", default="0,1")
        parser.add_argument("--rate", type=float, default=15.0, help="of the camera, in Hz")
        parser.add_argument("--size", default="1280x720")
        parser.add_argument("--seconds", type=float, default=10.0, help="of one window")
        parser.add_argument("--rounds", type=int, default=3)
        parser.add_argument("--objects", type=int, default=3)
        parser.add_argument("--model", default="tiny_test")
        parser.add_argument("--weights", default="random:0")
        way = parser.add_mutually_exclusive_group()
        way.add_argument("--in-tracker", action="store_true")
        way.add_argument("--stand-in", action="store_true")
        arguments = parser.parse_args()
        from etam_ros.ros.harness.isolation import isolated_domain

        with isolated_domain() as environment, tempfile.TemporaryDirectory() as folder:
            measure(arguments, dict(environment), Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
