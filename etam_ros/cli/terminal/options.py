"""Options of a verb from the fields of a configuration class, which say all there is to say.

    @options_of(PlayerConfig, positional="source")
    def play(ctx: typer.Context, config: PlayerConfig) -> None: ...

is a verb with an argument SOURCE and an option for every other field; the function is given the
configuration, checked.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from dataclasses import Field, fields
from functools import wraps
from typing import Annotated, Any

import typer

from etam_ros.options import Checked, flag_of, metavar_of, option_of

Verb = Callable[..., Any]


def options_of(
    config: type[Checked], *names: str, positional: str = "", without: Collection[str] = ()
) -> Callable[[Verb], Verb]:
    """Put options in the place of a verb's parameter that is annotated with a configuration.

    Args:
        config: its class.
        names: of the fields that become options; none: all of them. The others keep their
            defaults.
        positional: name of the field that becomes an argument.
        without: names of fields that do not become options.

    Returns:
        the decorator. The verb raises ConfigError where a value is not allowed.
    """
    taken = [
        item
        for item in fields(config)  # type: ignore[arg-type]
        if (not names or item.name in names) and item.name not in without
    ]

    def decorate(verb: Verb) -> Verb:
        signature = inspect.signature(verb, eval_str=True)
        parameters: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            if parameter.annotation is config:
                place = parameter.name
                parameters += [_parameter(item, item.name == positional) for item in taken]
            else:
                # Without an order, a required option may stand behind one with a default.
                parameters.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

        @wraps(verb)
        def called(**given: Any) -> Any:
            values = {item.name: _value(item, given.pop(item.name)) for item in taken}
            return verb(**given, **{place: config(**values)})

        called.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        return called

    return decorate


def _parameter(item: Field[Any], positional: bool) -> inspect.Parameter:
    """A field as typer wants it."""
    described, default = option_of(item), item.default
    several = isinstance(default, tuple)
    shown: dict[str, Any] = {
        "help": described.help_text,
        "show_default": described.unset or True,
        "rich_help_panel": described.panel or None,
    }
    if positional:
        info = typer.Argument(**shown)
    else:
        shown["metavar"] = None if isinstance(default, bool) else metavar_of(item)
        info = typer.Option(flag_of(item), **shown)
    return inspect.Parameter(
        item.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if described.required else None if several else default,
        annotation=Annotated[list[str] | None if several else type(default), info],
    )


def _value(item: Field[Any], given: Any) -> Any:
    """What was given, as the field has it."""
    return tuple(given or ()) if isinstance(item.default, tuple) else given
