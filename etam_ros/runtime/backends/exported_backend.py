"""What backends share that run exported graphs."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from etam_ros.errors import BackendError
from etam_ros.runtime.backend import Backend, EngineRequest
from etam_ros.runtime.backends.torch.weights import NetworkSource
from etam_ros.runtime.export import export_model
from etam_ros.runtime.exported import BY_LENGTH, ExportedModel, OnStep, engine_folder
from etam_ros.runtime.parity import ParityReport
from etam_ros.runtime.verdicts import read_verdict, write_verdict


class ExportedBackend(Backend):
    """A runtime of exported graphs; what the gate says of it lies beside them.

    Attributes:
        title: of its library, for users.
        remedy: how to get it.
        layout: of banks in its export.
    """

    title: ClassVar[str]
    remedy: ClassVar[str]
    layout: ClassVar[str] = BY_LENGTH

    def __init__(self, request: EngineRequest, source: NetworkSource) -> None:
        super().__init__(request, source)
        self._found: ExportedModel | None = None

    @classmethod
    @abstractmethod
    def import_library(cls) -> Any:
        """The library's module; whatever its import raises is let through."""

    @classmethod
    def load_library(cls) -> Any:
        """The library's module.

        Raises:
            BackendError: it is not installed, breaks while it is imported, or is too old.
        """
        try:
            return cls.import_library()
        except BackendError:
            raise
        except Exception as error:
            absent = isinstance(error, ModuleNotFoundError)
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
            raise BackendError(
                f"backend is {cls.name}, but {cls.title} is "
                f"{'not installed' if absent else 'broken'} ({reason}): {cls.remedy}"
            ) from error

    @classmethod
    def version(cls) -> str:
        """Of the library, which has to load; without the build, which OpenVINO adds."""
        try:
            return str(cls.load_library().__version__).partition("-")[0]
        except BackendError:
            return ""

    @property
    def graph_precision(self) -> str:
        """Of its export."""
        return self.precision

    @property
    def exported(self) -> ExportedModel:
        """The export.

        Raises:
            BackendError: there is none.
        """
        found = self._export(build=False)
        if found is None:
            raise BackendError(f"{self.lacks()}: run `{self.request.command}`")
        return found

    @abstractmethod
    def verdict_key(self) -> str:
        """What a verdict of the gate holds for: library, hardware, files."""

    def lacks(self) -> str:
        """The export."""
        if self._export(build=False) is None:
            return f"{self.request.model} is not exported for {self.name} yet"
        return ""

    def build(self, on_step: OnStep | None) -> None:
        """Export the model."""
        self._export(build=True, on_step=on_step)

    def failures(self) -> list[str] | None:
        return read_verdict(self.exported, self.verdict_key())

    def keep(self, report: ParityReport) -> None:
        write_verdict(self.exported, self.verdict_key(), report)

    def _export(self, *, build: bool, on_step: OnStep | None = None) -> ExportedModel | None:
        if self._found is None:
            folder = engine_folder(self.request.engine_dir)
            self._found = export_model(
                self.source, self.graph_precision, folder,
                layout=self.layout, build=build, on_step=on_step,
            )  # fmt: skip
        return self._found
