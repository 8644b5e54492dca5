"""`etam verify`: an engine is held against PyTorch again."""

from __future__ import annotations

from etam_ros.cli.build import EngineConfig, WorkspaceMib, engine_options, engine_request, judge


@engine_options
def verify(engine: EngineConfig, workspace_mib: WorkspaceMib = None) -> None:
    """Compare a built engine with PyTorch in fp32, stage by stage and on a short clip.

    Differences are relative: their root mean square divided by that of the reference. The exit
    code is 1 if the engine deviates too much; it is then not used.
    """
    judge(engine_request(engine, workspace_mib=workspace_mib), build=False)
