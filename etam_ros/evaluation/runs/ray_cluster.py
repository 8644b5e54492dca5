"""Evaluation on a Ray cluster, with the same function on any machine with free capacity.

Frames and ground truth must have the same paths on every machine; results are returned to this
one, which writes them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from socket import MSG_WAITALL, create_connection, socket
from typing import Any, Final

from etam_ros.errors import BackendError, EtamError, ImageError, SourceError
from etam_ros.evaluation.runs.one_video import OnFrame, Outcome, VideoJudge
from etam_ros.evaluation.runs.settings import RunSettings
from etam_ros.evaluation.runs.workers import MOST_TRIES, Failures, OnOutcome
from etam_ros.evaluation.truth.videos import LabelledVideo

LOCAL: Final = "local"
_ANSWER_S: Final = 10.0
_NO_SETTINGS: Final = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""Header of a frame of HTTP/2: length, the type "settings", no flags, stream 0."""
_OBJECT_STORE_BYTES: Final = 128 * 2**20


def judge_on_ray(
    videos: Sequence[LabelledVideo],
    settings: RunSettings,
    address: str,
    jobs: int,
    on_outcome: OnOutcome,
    on_frame: OnFrame,
) -> Failures:
    """Evaluate videos on a Ray cluster, as many at a time as it has capacity for.

    A video whose worker dies is started again elsewhere, up to three times in all.

    Args:
        address: host:port of the cluster, or local, which starts a temporary one on this machine.
        jobs: videos at a time on a local cluster.
        on_frame: called for all frames of a video once it is done.

    Raises:
        BackendError: Ray is not installed, or there is no cluster at that address.
        EtamError: an error that affects all videos, not a single one.
    """
    failures: Failures = {}
    with _connected(address, jobs * settings.threads) as ray:
        _check_room(ray, settings.threads)
        options = {"max_retries": MOST_TRIES - 1, "num_cpus": settings.threads}
        if settings.device == "cuda":
            options["num_gpus"] = 1
        remote = ray.remote(**options)(judge_one_video)
        waiting = {remote.remote(video, settings): video.name for video in videos}
        while waiting:
            done, _ = ray.wait(list(waiting), num_returns=1)
            name = waiting.pop(done[0])
            try:
                outcome = ray.get(done[0])
                on_outcome(name, outcome)
                for _ in range(sum(outcome.steps.values())):
                    on_frame()
            except ray.exceptions.RayTaskError as error:
                failures[name] = _reason(error)
            except ray.exceptions.RayError as error:
                failures[name] = f"{name}: its worker died {MOST_TRIES} times: {_first(error)}"
    return failures


def judge_one_video(video: LabelledVideo, settings: RunSettings) -> Outcome:
    """A task of the cluster."""
    with VideoJudge(settings) as judge:
        return judge.judge(video)


def _reason(error: Any) -> str:
    """The error of a single video; an error that affects all videos is raised."""
    cause = error.cause
    if isinstance(cause, (SourceError, ImageError)):
        return str(cause)
    if isinstance(cause, EtamError):
        raise type(cause)(str(cause)) from None
    raise error


@contextmanager
def _connected(address: str, processors: int) -> Iterator[Any]:
    """A connection to Ray, which is removed completely afterwards."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address == LOCAL and "RAY_AUTH_MODE" not in os.environ:
        # Nobody else may use the cluster, and Ray must not write a token to the user's home, which
        # clusters that are started later would require.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    try:
        import ray
    except ImportError:
        raise BackendError(
            "--ray needs the Python module ray, which is not installed here: "
            'pip install "etam_ros[ray]"'
        ) from None
    _check_answers(address)
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == LOCAL:
            ray.init(
                num_cpus=processors,
                include_dashboard=False,
                object_store_memory=_OBJECT_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                **quiet,
            )
        else:
            ray.init(address, **quiet)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        raise BackendError(
            f"no Ray cluster at {address!r} ({_first(error)}), expected host:port of a running "
            "cluster, or local; a cluster that requires a token needs RAY_AUTH_MODE=token here"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Raise at once if there is no answer; Ray itself would retry for minutes."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit() and "/" not in host):
        return
    try:
        with create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_S) as connection:
            _check_speaks_grpc(connection)
    except OSError as error:
        raise BackendError(
            f"no Ray cluster at {address!r} ({_first(error)}), expected host:port of a running "
            "cluster, or local"
        ) from None


def _check_speaks_grpc(connection: socket) -> None:
    """Raise OSError unless the other side answers with its settings, like every gRPC server.

    The layout is that of HTTP/2, RFC 9113, sections 3.4 and 4.1.
    """
    if os.environ.get("RAY_USE_TLS", "0") != "0":
        return  # only Ray itself supports this
    connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _NO_SETTINGS)
    answer = connection.recv(len(_NO_SETTINGS), MSG_WAITALL)
    if len(answer) < len(_NO_SETTINGS) or answer[3] != _NO_SETTINGS[3]:
        raise OSError("something other than Ray answers there")


def _check_room(ray: Any, threads: int) -> None:
    """Raise at once if no machine is large enough; Ray itself would wait for one."""
    most = max(
        (each["Resources"].get("CPU", 0) for each in ray.nodes() if each["Alive"]), default=0
    )
    if most < threads:
        raise BackendError(
            f"no machine of the Ray cluster has {threads} processors, the largest has {most:g}: "
            f"use --threads {max(1, int(most))}"
        )


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
