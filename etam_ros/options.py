"""What configuration classes are made of: fields that carry description, range and choices."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from typing import Any, Final

from etam_ros.errors import ConfigError

_NO_LIMIT: Final = 1e6
"""Maxima from here up are there to be finite; help does not show them."""


@dataclass(frozen=True)
class Option:
    """What is known of one field beside its type and default.

    Attributes:
        description: one sentence, with the unit.
        minimum, maximum: inclusive range of a number, or None.
        choices: the allowed strings, or empty.
        live: may change while frames stream.
        unset: what an empty or zero default stands for, in words.
        flag: its name on the command line, where that is not the field's.
        required: the command line asks for it.
        metavar: what stands for its value in help, where its type and range do not say enough.
        panel: heading under which help lists it; empty for the first one.
        digits: of a text: a ROS parameter that is a whole number stands for its digits.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False
    unset: str = ""
    flag: str = ""
    required: bool = False
    metavar: str = ""
    panel: str = ""
    digits: bool = False

    @property
    def help_text(self) -> str:
        """The description and the choices."""
        one_of = f" One of: {', '.join(self.choices)}." if self.choices else ""
        return self.description + one_of

    @property
    def full_description(self) -> str:
        """The description, and what the default stands for where that is not shown."""
        return f"{self.description} Default: {self.unset}." if self.unset else self.description

    def check(self, name: str, value: object, default: object) -> None:
        """Raise ConfigError unless `value` is of the default's type and allowed."""
        expected = type(default)
        if expected is float and type(value) is int:
            value = float(value)
        if type(value) is not expected:
            raise ConfigError(
                f"{name} is {value!r} of type {type(value).__name__}, "
                f"expected {expected.__name__}: {self.description}"
            )
        if self.choices and value not in self.choices:
            raise ConfigError(f"{name} is {value!r}, expected one of {', '.join(self.choices)}")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self._check_range(name, value)

    def _check_range(self, name: str, value: float) -> None:
        too_low = self.minimum is not None and not value >= self.minimum
        too_high = self.maximum is not None and not value <= self.maximum
        if too_low or too_high:
            low = "" if self.minimum is None else f"{self.minimum:g}"
            high = "" if self.maximum is None else f"{self.maximum:g}"
            raise ConfigError(f"{name} is {value:g}, expected {low}..{high}: {self.description}")


def option(default: Any, description: str, **limits: Any) -> Any:
    """A dataclass field with a default and an `Option` that describes it."""
    return field(default=default, metadata={"option": Option(description, **limits)})


def option_of(item: Field[Any]) -> Option:
    """The `Option` of a configuration field."""
    described: Option = item.metadata["option"]
    return described


def flag_of(item: Field[Any]) -> str:
    """The name of a configuration field on the command line: --save-every."""
    return option_of(item).flag or "--" + item.name.replace("_", "-")


def metavar_of(item: Field[Any]) -> str:
    """What stands for the value of a configuration field in help: <int 1..64>."""
    described, kind = option_of(item), type(item.default).__name__
    if described.metavar or described.minimum is None:
        return f"<{described.metavar or ('str' if kind == 'tuple' else kind)}>"
    open_ended = described.maximum is None or described.maximum >= _NO_LIMIT
    high = "" if open_ended else f"{described.maximum:g}"
    return f"<{kind} {described.minimum:g}..{high}>"


def counts(name: str, text: str) -> tuple[int, ...]:
    """The numbers of an option that takes several, as 1,2,4.

    Raises:
        ConfigError: one of them is not a whole number from 1 up.
    """
    try:
        found = tuple(int(each) for each in text.split(","))
    except ValueError:
        found = (0,)
    if min(found) < 1:
        raise ConfigError(f"{name} is {text!r}, expected numbers of at least 1, as in 1,2,4")
    return found


class Checked:
    """Base of the configuration classes: every field is checked when one is made."""

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]
            option_of(item).check(item.name, getattr(self, item.name), item.default)
