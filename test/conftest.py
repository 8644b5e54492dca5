"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
def tiny_export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of engines that holds an export of tiny_test with random:0 in fp32: copy it."""
    from etam_ros.runtime.backends.torch.weights import NetworkSource
    from etam_ros.runtime.export import export_model

    folder = tmp_path_factory.mktemp("tiny_export")
    export_model(NetworkSource("tiny_test", "random:0"), "fp32", folder)
    return folder
