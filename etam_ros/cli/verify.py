"""`etam verify`: an engine is held against PyTorch again."""

from __future__ import annotations

from etam_ros.cli.build import (
    Backend,
    EngineDir,
    Model,
    Precision,
    Weights,
    WorkspaceMib,
    engine_request,
    judge,
)
from etam_ros.config import DEFAULT_MODEL


def verify(
    model: Model = DEFAULT_MODEL,
    backend: Backend = "openvino",
    precision: Precision = "auto",
    weights: Weights = "",
    engine_dir: EngineDir = "",
    workspace_mib: WorkspaceMib = None,
) -> None:
    """Hold an engine that is built against PyTorch in fp32, stage by stage and on a short clip.

    Differences are relative: the root of their mean square over that of the reference. Exits with
    1 if the engine is off; it is not used then.
    """
    request = engine_request(
        model, backend, precision, weights, engine_dir, workspace_mib=workspace_mib
    )
    judge(request, build=False)
