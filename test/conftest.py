"""What all tests share."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BEGIN_FIRST = (
    "runtime/test_engines.py",
    "tracking/test_golden.py",
    "benchmark/test_on_gpu_call.py",
    "ros/console/test_page.py",
    "training/test_loop.py",
    "cli/test_demo.py",
    "ros/tracker/everything/test_segment_service.py",
    "runtime/backends/test_tensorrt_plans.py",  # some of what it needs test_engines exports
    "evaluation/runs/test_runs.py",
    "evaluation/runs/test_ray_cluster.py",
    "ros/player/test_player.py",
    "ros/tracker/test_cameras.py",
    "test_etam_nano.py",
    "ros/tracker/test_lifecycle.py",
    "cli/test_track_bags.py",
    "cli/test_track_golden.py",
    "ros/harness/test_room_robot.py",
    "cli/test_bench.py",
    "cli/test_doctor.py",
    "tracking/test_failed_calls.py",
    "runtime/test_fixed_stages.py",
    "cli/test_track_results.py",
    "test_soak.py",
)
"""Files that take longest, the longest first: a process that begins one last works alone."""


def pytest_configure() -> None:
    """Under nohup SIGHUP is ignored by all processes, and tests of it would not be heard."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files first that take longest; all others keep their order."""
    ranks = {ROOT / "test" / name: rank for rank, name in enumerate(BEGIN_FIRST)}
    assert all(path.is_file() for path in ranks), "BEGIN_FIRST names a file that is gone"
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference trajectories beside a development checkout."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: it comes with a development checkout alone")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _engines_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Engines that somebody has built here do not decide what tests run on."""
    os.environ["ETAM_ENGINE_DIR"] = str(tmp_path_factory.mktemp("etam_engines"))
    yield
    del os.environ["ETAM_ENGINE_DIR"]


@pytest.fixture(scope="session")
def export_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Call `export_once("tiny_test", "fp32", layout)`: a folder of engines that holds one export.

    Exporting is slow: all processes that run tests share what it makes, and exports of a model
    what is the same in them. Copy it to change it.
    """
    from etam_ros.runtime.atomic import lock_of, make_folder
    from etam_ros.runtime.backends.torch.weights import NetworkSource
    from etam_ros.runtime.export import export_model
    from etam_ros.runtime.exported import BY_LENGTH

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def export(model: str, precision: str, layout: str = BY_LENGTH) -> Path:
        alone, together = base / "exports" / f"{model}_{precision}_{layout}", base / "exports/all"
        together.mkdir(parents=True, exist_ok=True)
        weights = "" if model == "etam_nano" else "random:0"
        made = export_model(NetworkSource(model, weights), precision, together, layout=layout)
        assert made is not None
        with lock_of(alone):
            if not alone.exists():
                make_folder(alone, lambda to: shutil.copytree(made.folder, to / made.folder.name))
        return alone

    return export


@pytest.fixture(scope="session")
def tiny_export(export_once: Callable[..., Path]) -> Path:
    """A folder of engines that holds an export of tiny_test with random:0 in fp32: copy it."""
    return export_once("tiny_test", "fp32")
