"""A metric of your own over what `etam track` left: how much an object's area jumps.

etam track clip.mp4 --click 320,240 --out followed
python examples/own_metric.py followed/objects.csv

A mask that spreads to a neighbour, or loses half of its object, does so from one frame to the
next. A jump of 2 means that the area doubled or halved.
"""

import csv
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path


def largest_jumps(path: str) -> dict[str, float]:
    """The largest ratio of areas on two frames on end, by object."""
    areas: dict[str, list[int]] = defaultdict(list)
    with Path(path).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            areas[row["id"]].append(int(row["area"]))
    return {
        each: max((max(a, b) / min(a, b) for a, b in pairwise(values) if a and b), default=1.0)
        for each, values in areas.items()
    }


def main() -> None:
    for object_id, jump in largest_jumps(sys.argv[1]).items():
        print(f"object {object_id}: areas jump by a factor of {jump:.2f} at most")


if __name__ == "__main__":
    main()
