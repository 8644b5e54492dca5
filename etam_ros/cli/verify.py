"""`etam verify`: an engine is held against PyTorch again."""

from __future__ import annotations

from etam_ros.cli.build import EngineConfig, WorkspaceMib, engine_options, engine_request, judge


@engine_options
def verify(engine: EngineConfig, workspace_mib: WorkspaceMib = None) -> None:
    """Hold an engine that is built against PyTorch in fp32, stage by stage and on a short clip.

    Differences are relative: the root of their mean square over that of the reference. Exits with
    1 if the engine is off; it is not used then.
    """
    judge(engine_request(engine, workspace_mib=workspace_mib), build=False)
