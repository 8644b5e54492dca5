"""What every runtime says of itself, so that whoever opens stages treats all of them alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from etam_ros.config import BACKENDS, DEVICES, PRECISIONS
from etam_ros.errors import BackendError, ConfigError
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.exported import OnStep
from etam_ros.runtime.parity import ParityReport
from etam_ros.runtime.stages import Stages


@dataclass(frozen=True)
class EngineRequest:
    """What somebody wants to run.

    Attributes:
        model, weights, backend, precision: as in `open_stages`.
        engine_dir: folder of all engines; empty for the default one.
        device: auto, cpu or cuda.
        target: compute capability to build plans for, as sm89; empty: that of the GPU here.
        workspace_mib: most memory that a layer of a plan may use; 0: no limit; None: whatever
            plans there are.

    Raises:
        ConfigError: there is no such backend, precision or device.
    """

    model: str
    weights: str = ""
    backend: str = "auto"
    precision: str = "auto"
    engine_dir: str = ""
    device: str = "auto"
    target: str = ""
    workspace_mib: int | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("backend", BACKENDS),
            ("precision", PRECISIONS),
            ("device", DEVICES),
        ):
            value = getattr(self, name)
            if value not in choices:
                raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(choices)}")

    @property
    def command(self) -> str:
        """What builds it."""
        options = {
            "weights": self.weights,
            "engine-dir": self.engine_dir,
            "target": self.target,
            "workspace-mib": self.workspace_mib or "",
        }
        given = "".join(f" --{name} {value}" for name, value in options.items() if value)
        return (
            f"etam build {self.model} --backend {self.backend} --precision {self.precision}{given}"
        )


class Backend(ABC):
    """One model on one runtime: what has to be built for it, and how it is opened.

    Args:
        request: for this backend.
        source: of the model's network.

    Attributes:
        name: of the backend, for users.
        devices: on which it runs, its own first.
        precision: in which it computes.

    Raises:
        BackendError: this machine cannot run it.
    """

    name: ClassVar[str]
    devices: ClassVar[tuple[str, ...]]
    aims: ClassVar[bool] = False
    """Whether it can be built for a GPU elsewhere."""

    def __init__(self, request: EngineRequest, source: NetworkSource) -> None:
        if request.device not in ("auto", *self.devices):
            raise BackendError(
                f"device is {request.device}, which {self.name} does not use: "
                f"use {self.devices[0]}, or another backend"
            )
        if request.target and not self.aims:
            raise BackendError(
                f"target is {request.target}, but {self.name} builds only for the machine it "
                "runs on: omit --target, or use tensorrt_rtx"
            )
        self.request, self.source = request, source
        self.precision = self.choose_precision(request.precision, request.device)

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Of its library; empty: it is not installed, or too old."""

    @classmethod
    @abstractmethod
    def precisions(cls, device: str) -> tuple[str, ...]:
        """In which it computes on a device of this machine; the first is what auto means."""

    @classmethod
    def worthwhile(cls, device: str) -> tuple[str, ...]:
        """Those of `precisions` that are worth trying, the fastest first."""
        return cls.precisions(device)

    @classmethod
    def choose_precision(cls, precision: str, device: str) -> str:
        """The precision in which it computes where one is asked for.

        Raises:
            BackendError: it cannot.
        """
        choices = cls.precisions(device)
        if precision == "auto":
            return choices[0]
        if precision not in choices:
            raise BackendError(
                f"precision is {precision}, which {cls.name} does not support here: use "
                f"{' or '.join(choices)}"
            )
        return precision

    @property
    def runs_here(self) -> bool:
        """Whether what is built can be opened on this machine."""
        return True

    def lacks(self) -> str:
        """What has to be built before it opens, in words; empty: nothing."""
        return ""

    def build(self, on_step: OnStep | None) -> None:  # noqa: B027 (some need nothing)
        """Build what it lacks.

        Args:
            on_step: is told what is being done.

        Raises:
            BackendError: it cannot be built, or the disk is full.
            ConfigError, WeightsError: as `open_stages`.
        """

    @abstractmethod
    def open(self) -> Stages:
        """The stages; it lacks nothing."""

    def failures(self) -> list[str] | None:
        """What the parity gate found off; None: it has not looked yet."""
        return []

    def keep(self, report: ParityReport) -> None:  # noqa: B027 (PyTorch is the reference)
        """Keep what the gate found, as long as neither files, library nor hardware change."""
