"""Options of a program that needs no more than Python, from the fields of a configuration class.

`etam` makes its options of the same fields in `cli/terminal/options.py`; this is for programs that
also run where typer is not installed: `python -m etam_ros.training.run`.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from dataclasses import Field, fields
from typing import Any

from etam_ros.options import Checked, flag_of, metavar_of, option_of


def add_options(
    parser: ArgumentParser,
    config: type[Checked],
    *names: str,
    positional: str = "",
    defaults: Checked | None = None,
) -> None:
    """Add an option for each field; one that is not given is missing from what is parsed.

    Args:
        parser: gets the options.
        config: the class.
        names: of the fields that become options; none: all of them.
        positional: name of the field that becomes an argument.
        defaults: what help shows; None: the class's own.
    """
    for item in fields(config):  # type: ignore[arg-type]
        if names and item.name not in names:
            continue
        default = getattr(defaults, item.name) if defaults else item.default
        described, several = option_of(item), isinstance(item.default, tuple)
        is_flag = isinstance(item.default, bool)
        plain = item.name == positional or is_flag
        shown = "" if plain else f" [default: {default or described.unset}]"
        told: dict[str, Any] = {"help": (described.help_text + shown).replace("%", "%%")}
        if item.name == positional:
            parser.add_argument(item.name, **told)
            continue
        if is_flag:
            told |= {"action": "store_true"}
        else:
            told |= {
                "action": "append" if several else "store",
                "type": str if several else type(item.default),
                "metavar": metavar_of(item),
            }
        parser.add_argument(
            flag_of(item),
            dest=item.name,
            default=SUPPRESS,
            **told,
        )


def given_options(parsed: Namespace, config: type[Checked]) -> dict[str, Any]:
    """The fields of a configuration that a command line gave."""
    given = vars(parsed)
    return {
        item.name: _value(item, given[item.name])
        for item in fields(config)  # type: ignore[arg-type]
        if item.name in given
    }


def _value(item: Field[Any], value: Any) -> Any:
    return tuple(value) if isinstance(item.default, tuple) else value
