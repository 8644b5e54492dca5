"""ROS parameters: declared from the configuration classes, checked by them, handed on as values.

A node's settings are a dataclass of groups: the fields of the group `node` stand at the top level
of the names, those of each other group behind its prefix: `tracker.recent_memories`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Generic, TypeVar

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from etam_ros.config import (
    CameraConfig,
    ClickPlaneConfig,
    ClicksConfig,
    DepthConfig,
    DetectionsConfig,
    DiagnosticsConfig,
    EventsConfig,
    EverythingServiceConfig,
    HistoryConfig,
    ImagesConfig,
    MarkersConfig,
    NodeConfig,
    ObjectMarkersConfig,
    OverlayConfig,
    SourcesConfig,
    TrackerConfig,
    TransformsConfig,
)
from etam_ros.errors import ConfigError
from etam_ros.options import Checked, Option, option_of

S = TypeVar("S")
"""The settings of one kind of node."""
OF_ROS: Final = "qos_overrides."
"""Names that ROS declares when a topic comes into being."""
NAMED: Final = 8
"""So many unknown parameters are named: a file for many nodes may hold hundreds."""


@dataclass(frozen=True)
class Settings:
    """All configuration of the tracker at one moment; the groups are named as in `GROUPS`."""

    node: NodeConfig = field(default_factory=NodeConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    history: HistoryConfig = field(default_factory=HistoryConfig)
    overlay: OverlayConfig = field(default_factory=OverlayConfig)
    diagnostics: DiagnosticsConfig = field(default_factory=DiagnosticsConfig)
    images: ImagesConfig = field(default_factory=ImagesConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    click_plane: ClickPlaneConfig = field(default_factory=ClickPlaneConfig)
    clicks: ClicksConfig = field(default_factory=ClicksConfig)
    detections: DetectionsConfig = field(default_factory=DetectionsConfig)
    events: EventsConfig = field(default_factory=EventsConfig)
    markers: MarkersConfig = field(default_factory=MarkersConfig)
    depth: DepthConfig = field(default_factory=DepthConfig)
    object_markers: ObjectMarkersConfig = field(default_factory=ObjectMarkersConfig)
    tf: TransformsConfig = field(default_factory=TransformsConfig)
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    everything: EverythingServiceConfig = field(default_factory=EverythingServiceConfig)


def parameter_options(kind: type[Any] = Settings) -> dict[str, tuple[Any, Option]]:
    """Every parameter of a node with such settings: full name -> its default and its `Option`."""
    found = {}
    for prefix, group in _classes(kind).items():
        for item in fields(group):  # type: ignore[arg-type]
            found[prefix + item.name] = (item.default, option_of(item))
    return found


def settings_from(values: Mapping[str, Any], kind: type[S] = Settings) -> S:  # type: ignore[assignment]
    """Build settings from parameter values by full name; absent ones take their default.

    Raises:
        ConfigError: a value is invalid.
    """
    groups = {}
    for prefix, group in _classes(kind).items():
        names = [item.name for item in fields(group)]  # type: ignore[arg-type]
        given = {name: values[prefix + name] for name in names if prefix + name in values}
        try:
            groups[prefix.rstrip(".") or "node"] = group(**given)
        except ConfigError as error:  # which begins with the name in the group
            raise ConfigError(f"{prefix}{error}") from error
    return kind(**groups)


def parameter_descriptor(option: Option, default: Any) -> ParameterDescriptor:
    """What `ros2 param describe` shows of one parameter."""
    description = option.full_description
    if not option.live:
        description += " Changes only while the node is unconfigured."
    # So that 2 may stand for 2.0; the configuration classes check types and ranges themselves.
    descriptor = ParameterDescriptor(
        description=description, dynamic_typing=isinstance(default, float) or option.digits
    )
    if option.choices:
        descriptor.additional_constraints = "one of " + ", ".join(option.choices)
    if option.minimum is None or option.maximum is None:
        return descriptor
    if type(default) is int:
        whole = IntegerRange(from_value=int(option.minimum), to_value=int(option.maximum))
        descriptor.integer_range = [whole]
    elif type(default) is float:
        span = FloatingPointRange(from_value=option.minimum, to_value=option.maximum)
        descriptor.floating_point_range = [span]
    return descriptor


class NodeParameters(Generic[S]):
    """Declares a node's parameters and holds their present values as `settings`.

    Args:
        node: gets the parameters.
        is_unconfigured: whether parameters that are not live may change now.
        check: raises ConfigError for settings that are valid but cannot be put into force now;
            the change is refused with its words.
        on_change: called with the new settings after each accepted change.
        kind: class of the settings.

    Raises:
        ConfigError: a value given at start is invalid.
    """

    def __init__(
        self,
        node: Node,
        is_unconfigured: Callable[[], bool],
        check: Callable[[S], None],
        on_change: Callable[[S], None],
        kind: type[S] = Settings,  # type: ignore[assignment]
    ) -> None:
        self._kind = kind
        self._options = parameter_options(kind)
        self._is_unconfigured = is_unconfigured
        self._check = check
        self._on_change = on_change
        declarations: list[Any] = [
            (name, default, parameter_descriptor(option, default))
            for name, (default, option) in self._options.items()
        ]
        try:
            declared = node.declare_parameters("", declarations)
        except ParameterException as error:
            raise ConfigError(" ".join(str(error).split())) from error
        self._values = self._changes(declared)
        self.settings: S = settings_from(self._values, kind)
        warn_of_unknown(node)
        # Humble has nothing to call once every validator has agreed.
        self._applies_at_once = not hasattr(node, "add_post_set_parameters_callback")
        node.add_on_set_parameters_callback(self.on_validate)
        if not self._applies_at_once:
            node.add_post_set_parameters_callback(self.on_set)

    def on_validate(self, parameters: list[Parameter]) -> SetParametersResult:
        """Check a change; whether it is made depends on the node's other validators too."""
        changes = self._changes(parameters)
        try:
            self._check_moment(changes)
            settings = settings_from({**self._values, **changes}, self._kind)
            if settings != self.settings:
                self._check(settings)
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        if self._applies_at_once:
            self.on_set(parameters)
        return SetParametersResult(successful=True)

    def on_set(self, parameters: list[Parameter]) -> None:
        """Put a change into force, once the parameters have the new values."""
        self._values.update(self._changes(parameters))
        settings = settings_from(self._values, self._kind)
        if settings != self.settings:
            self.settings = settings
            self._on_change(settings)

    def _changes(self, parameters: list[Parameter]) -> dict[str, Any]:
        return {p.name: self._value(p) for p in parameters if p.name in self._options}

    def _value(self, parameter: Parameter) -> Any:
        digits = self._options[parameter.name][1].digits and type(parameter.value) is int
        return str(parameter.value) if digits else parameter.value

    def _check_moment(self, changes: Mapping[str, Any]) -> None:
        if self._is_unconfigured():
            return
        for name, value in changes.items():
            if not self._options[name][1].live and value != self._values[name]:
                raise ConfigError(
                    f"{name} is {self._values[name]!r} and cannot be set to {value!r} while the "
                    "node is configured: deactivate and clean up the node first"
                )


def warn_of_unknown(node: Node) -> None:
    """Say which parameters given at start a node does not have; ROS ignores them silently.

    Args:
        node: has declared all of its parameters.
    """
    # rclpy has no public way to ask for them.
    given = getattr(node, "_parameter_overrides", {})
    unknown = sorted(
        name for name in given if not (node.has_parameter(name) or name.startswith(OF_ROS))
    )
    if unknown:
        more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
        node.get_logger().warning(
            f"parameters are ignored because {node.get_fully_qualified_name()} has none of these "
            f"names: {', '.join(unknown[:NAMED])}{more}; `ros2 param list` shows what it has"
        )


def _classes(kind: type[Any]) -> dict[str, type[Checked]]:
    """Prefix of the parameter names -> configuration class."""
    classes: dict[str, Any] = {item.name: item.default_factory for item in fields(kind)}
    return {"" if name == "node" else f"{name}.": made for name, made in classes.items()}
