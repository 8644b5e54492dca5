"""The same run on a real Ray cluster, one of whose workers is killed on the way."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

NAMES = ("ant", "bee", "cat")
DEADLINE_S = 240
WORDS = ("--model", "tiny_test", "--weights", "random:0", "--backend", "torch", "--threads", "1")
ENVIRONMENT = dict(
    os.environ,
    OMP_NUM_THREADS="1",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="token",
    RAY_AUTH_TOKEN=secrets.token_hex(32),
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """Address and process of a cluster that nothing outside this machine can reach."""
    from socket import socket

    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path("/tmp") / f"etam_ray_{os.getpid()}"  # a socket's path has to be short
    process = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
         "--node-ip-address=127.0.0.1", f"--port={port}", "--num-cpus=2",
         "--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=80000000",
         f"--temp-dir={folder}"],
        env=ENVIRONMENT, stdout=(tmp_path / "ray.log").open("w"), stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + DEADLINE_S
        while "Ray runtime started" not in (tmp_path / "ray.log").read_text():
            assert process.poll() is None, (tmp_path / "ray.log").read_text()
            assert time.monotonic() < end
            time.sleep(0.1)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(60)
        subprocess.run(["rm", "-rf", str(folder)], check=False)


def below(pid: int) -> Iterator[int]:
    """All processes that a process has started, and those that these have."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [
            int(each) for task in tasks for each in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in children:
        yield child
        yield from below(child)


def at_work(pid: int) -> list[int]:
    """Ray's workers that judge a video at this moment; Ray names a process after its task."""
    found = []
    for each in below(pid):
        try:
            words = Path(f"/proc/{each}/cmdline").read_bytes()
        except OSError:
            continue
        if re.match(rb"ray::judge_one_video", words):
            found.append(each)
    return found


def test_a_cluster_gives_the_same_files_even_if_a_worker_dies(
    tmp_path: Path, write_sequence: Callable[..., None], cluster: tuple[str, int]
) -> None:
    for name in NAMES:
        write_sequence(tmp_path / "data" / name / "frames", tmp_path / "data" / name / "masks")

    def start(report: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "etam_ros.cli.main", "eval", str(tmp_path / "data"), *WORDS,
             "--report", str(tmp_path / report), *options],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT,
        )  # fmt: skip

    here = start("here")
    assert here.wait(DEADLINE_S) == 0, here.communicate()
    address, pid = cluster
    there = start("there", "--ray", address)
    end = time.monotonic() + DEADLINE_S
    while not (working := at_work(pid)):
        assert there.poll() is None, there.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    os.kill(working[0], signal.SIGKILL)
    output, errors = there.communicate(timeout=DEADLINE_S)
    assert there.returncode == 0, errors
    assert all(name in output for name in NAMES)
    for name in (
        "report.json",
        "objects.csv",
        "frames.csv",
        *(f"results/{n}.json" for n in NAMES),
    ):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_a_cluster_of_this_machine_alone(
    tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    write_sequence(tmp_path / "data/ant/frames", tmp_path / "data/ant/masks")
    write_sequence(tmp_path / "data/bee/frames", tmp_path / "data/bee/masks")
    (tmp_path / "data/bee/frames/00001.jpg").write_bytes(b"no picture")
    without_token = {key: each for key, each in ENVIRONMENT.items() if "AUTH" not in key}
    without_token |= {"HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-m", "etam_ros.cli.main", "eval", str(tmp_path / "data"), *WORDS,
         "--ray", "local"],
        capture_output=True, text=True, env=without_token, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert not (tmp_path / "home").exists(), "no token is left"
    assert done.returncode == 2
    assert "ant" in done.stdout
    last = done.stderr.splitlines()[-1]
    assert "bee could not be evaluated, the rest is complete: image" in last
    assert "00001.jpg cannot be read" in last


def test_an_address_without_a_cluster_is_one_line(
    tmp_path: Path, write_sequence: Callable[..., None]
) -> None:
    write_sequence(tmp_path / "data/ant/frames", tmp_path / "data/ant/masks")
    done = subprocess.run(
        [sys.executable, "-m", "etam_ros.cli.main", "eval", str(tmp_path / "data"), *WORDS,
         "--ray", "127.0.0.1:1"],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no Ray cluster at '127.0.0.1:1'" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_what_is_no_cluster_is_said_at_once(answer: bytes) -> None:
    """Ray itself would go on asking for minutes."""
    from socket import create_server
    from threading import Thread

    from etam_ros.errors import BackendError
    from etam_ros.evaluation.runs.ray_cluster import _check_answers

    with create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer)

        thread = Thread(target=serve)
        thread.start()
        with pytest.raises(BackendError, match="no Ray cluster at"):
            _check_answers(f"127.0.0.1:{server.getsockname()[1]}")
        thread.join()
