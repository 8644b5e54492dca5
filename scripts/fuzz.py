#!/usr/bin/env python3
"""Give damaged input to everything that reads some, and hold it to one line or a result.

    python scripts/fuzz.py                                   every target, 200 inputs each
    python scripts/fuzz.py videos bags --inputs 100000       some of them, for long
    python scripts/fuzz.py --seconds 3600 --seed 7           as many as an hour takes, others
    python scripts/fuzz.py --again test/corpus               what ever failed, again

An input follows from its target, the seed and its number alone. It is taken, refused in one line
(an EtamError), or has failed: another error, several lines, a crash, a minute without an end, or
over 8 GiB of memory. What failed is kept in --corpus, and is tried again by the tests.
Exit code 1 when anything failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fuzz_files import FILES, Target, made
from fuzz_messages import MESSAGES
from fuzz_node import NODE
from fuzz_readers import READERS

CORPUS = Path(__file__).resolve().parents[1] / "test" / "corpus"
MEMORY_BYTES = 8 * 2**30
PATIENCE_S = 60.0
PATIENCE_AT_FIRST_S = 300.0  # libraries are loaded
LONGEST_LINE = 1500
OF_ROS = (*READERS, *MESSAGES, NODE)
TARGETS: dict[str, Target] = {target.name: target for target in (*FILES, *OF_ROS)}


def outcome(target: Target, path: Path) -> tuple[str, str]:
    """What becomes of one input: taken, refused or failed; and what was said of it."""
    from etam_ros.errors import EtamError

    try:
        target.take(path)
    except EtamError as error:
        words = str(error)
        one_line = "\n" not in words and len(words) <= LONGEST_LINE
        return ("refused" if one_line else "failed"), words
    except MemoryError:
        return "failed", f"it needs over {MEMORY_BYTES} bytes"
    except Exception as error:
        return "failed", f"{type(error).__name__}: {error}"
    return "taken", ""


def child(name: str, seed: int, first: int, last: int, folder: Path) -> None:
    """Try the inputs of one target; tells the number of each before it, and what came of it."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    target = TARGETS[name]
    seeds = target.seeds(folder)
    for number in range(first, last):
        suffix, content = made(target, seeds, seed, number)
        path = folder / f"input{suffix}"
        path.write_bytes(content)
        print(number, flush=True)
        print(json.dumps(outcome(target, path)), flush=True)


@dataclass
class Trial:
    """The inputs of one target, tried in processes, of which one may die of any of them."""

    name: str
    seed: int
    inputs: int
    end: float
    corpus: Path
    counts: Counter[str] = field(default_factory=Counter)

    def run(self) -> Counter[str]:
        """How many were taken, refused, and failed."""
        number = 0
        while number < self.inputs and time.monotonic() < self.end:
            with tempfile.TemporaryDirectory() as folder:
                span = (str(self.seed), str(number), str(self.inputs))
                process = subprocess.Popen(
                    [sys.executable, __file__, "--child", self.name, *span, folder],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
                try:
                    number = self._watch(process, number)
                finally:
                    end(process)
        return self.counts

    def _watch(self, process: subprocess.Popen[bytes], number: int) -> int:
        """Count what a process tells; the number of the input that is next."""
        assert process.stdout is not None
        first, begun, patience_s = number, False, PATIENCE_AT_FIRST_S
        told = Lines(process.stdout.fileno())
        while True:
            line = told.next(patience_s)
            if not line or time.monotonic() > self.end:
                break
            if line.startswith("["):
                self._count(number, *json.loads(line))
                begun, patience_s = False, PATIENCE_S
            else:
                number, begun = int(line), True
        code = end(process)
        if begun and not line:
            why = f"no end within {patience_s:.0f} s" if line is None else f"ended with {code}"
            self._count(number, "failed", why)
        elif not line and number == first and not self.counts:
            raise SystemExit(f"target {self.name} cannot begin, it ended with {code}")
        return number + 1

    def _count(self, number: int, verdict: str, words: str) -> None:
        self.counts[verdict] += 1
        if verdict == "failed":
            keep(self.name, self.seed, number, words, self.corpus)


class Lines:
    """What a process prints, as soon as it does."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._read: deque[str] = deque()
        self._rest = b""

    def next(self, patience_s: float) -> str | None:
        """The next line; empty at the end, None where nothing comes."""
        while not self._read:
            if not select.select([self._descriptor], [], [], patience_s)[0]:
                return None
            found = os.read(self._descriptor, 1 << 16)
            if not found:
                return ""
            *whole, self._rest = (self._rest + found).split(b"\n")
            self._read.extend(line.decode() for line in whole)
        return self._read.popleft()


def end(process: subprocess.Popen[bytes]) -> int:
    """End a process and what it has started, and say with which code it ended."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def keep(name: str, seed: int, number: int, words: str, corpus: Path) -> None:
    """Keep an input that failed."""
    with tempfile.TemporaryDirectory() as folder:
        target = TARGETS[name]
        suffix, content = made(target, target.seeds(Path(folder)), seed, number)
    (corpus / name).mkdir(parents=True, exist_ok=True)
    path = corpus / name / f"{seed}-{number}{suffix}"
    path.write_bytes(content)
    print(f"failed: {path}: {' '.join(words.split())[:300]}", flush=True)


def again(corpus: Path) -> int:
    """Try everything in a corpus; the number of what fails."""
    failed = 0
    for path in sorted(corpus.glob("*/*")):
        target = TARGETS[path.parent.name]
        if target in OF_ROS and find_spec("rclpy") is None:
            print(f"{path.parent.name}/{path.name}: left out, there is no rclpy")
            continue
        with tempfile.TemporaryDirectory() as folder:
            target.seeds(Path(folder))  # some need what lies beside
            copy = Path(folder) / f"input{path.suffix}"
            copy.write_bytes(path.read_bytes())
            verdict, words = outcome(target, copy)
        failed += verdict == "failed"
        print(f"{path.parent.name}/{path.name}: {verdict} {words[:200]}")
    return failed


def main(arguments: list[str]) -> int:
    """Run what is asked for."""
    if arguments[:1] == ["--child"]:
        name, *numbers, folder = arguments[1:]
        child(name, *map(int, numbers), Path(folder))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--inputs", type=int, default=200, help="for each target")
    parser.add_argument("--seconds", type=float, default=1e9, help="for each target at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="for what fails")
    parser.add_argument("--again", type=Path, help="try what is there, and nothing else")
    options = parser.parse_args(arguments)
    if options.again is not None:
        return 1 if again(options.again) else 0
    unknown = set(options.targets) - TARGETS.keys()
    if unknown:
        parser.error(f"no target is called {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    total: Counter[str] = Counter()
    row = "{:<12}{:>9}{:>9}{:>9}{:>9}{:>9}"
    print(row.format("target", "inputs", "taken", "refused", "failed", "seconds"))
    for name in options.targets or TARGETS:
        start = time.monotonic()
        end = start + options.seconds
        counts = Trial(name, options.seed, options.inputs, end, options.corpus).run()
        told: list[Any] = [counts[each] for each in ("taken", "refused", "failed")]
        print(row.format(name, sum(told), *told, round(time.monotonic() - start)), flush=True)
        total += counts
    return 1 if total["failed"] else 0


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        sys.exit(main(sys.argv[1:]))
