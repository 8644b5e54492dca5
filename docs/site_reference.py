"""Pages of the site that are made from the code, and those of the repository's root."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
MADE: Final = "<!-- made by docs/site_reference.py from the code: change that -->\n\n"
OF_ROOT: Final = ("CHANGELOG", "CONTRIBUTING", "SECURITY")
PARAMETER: Final = ("parameter", "meaning", "default", "range", "live")
_LINK: Final = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def write_reference(folder: Path) -> None:
    """Write every generated page into a folder; pages that did not change are left as they are."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("commands", commands()),
        ("parameters", parameters()),
        ("messages", messages()),
        ("python", python()),
        ("examples", examples()),
        *((name.lower(), of_root(name)) for name in OF_ROOT),
    ):
        path = folder / f"{name}.md"
        whole = MADE + text
        if not path.is_file() or path.read_text(encoding="utf-8") != whole:
            path.write_text(whole, encoding="utf-8")


def commands() -> str:
    """Every verb of `etam` with its options, as `--help` has them."""
    import typer

    from etam_ros.cli.main import VERBS, app

    group: Any = typer.main.get_command(app)
    context: Any = typer.Context(group, info_name="etam")
    parts = ["# Commands\n\nWhat `etam VERB --help` says. What each leaves: [the command line]"]
    parts[0] += "(../command_line.md).\n"
    for name, verb in VERBS.items():
        command: Any = group.get_command(context, name)
        parts.append(f"## etam {name}\n\n{_prose(command.help)}\n\n    {verb.example}\n")
        subcommands = getattr(command, "commands", None)
        if subcommands:
            for each in subcommands.values():
                parts.append(f"### etam {name} {each.name}\n\n{each.help}\n")
                parts += _options(each.params)
        else:
            parts += _options(command.params)
    return "\n".join(parts)


def _prose(text: str) -> str:
    """Help as Markdown: an example of JSON is code."""
    return "\n\n".join(
        f"    {paragraph}" if paragraph.startswith(("[", "{")) else paragraph
        for paragraph in text.split("\n\n")
    )


def _options(params: Iterable[Any]) -> Iterator[str]:
    rows = []
    for each in params:
        if each.name == "help":
            continue
        flags = ", ".join(f"`{flag}`" for flag in (*each.opts, *each.secondary_opts))
        kind = each.metavar or getattr(getattr(each, "type", None), "name", "")
        default = getattr(each, "show_default", None)
        if not isinstance(default, str):
            default = each.default
        shown = "" if default in (None, "", ()) or callable(default) else f"`{default}`"
        rows.append((flags or each.name, each.help or "", f"`{kind}`" if kind else "", shown))
    if rows:
        yield _table(("option", "meaning", "value", "default"), rows)


def parameters() -> str:
    """Every parameter of the nodes, from their configuration classes."""
    from etam_ros.config import PlayerConfig
    from etam_ros.console.config import WebConfig
    from etam_ros.following.config import FollowerSettings
    from etam_ros.ros.parameters import Settings, parameter_options

    head = (
        "# Parameters\n\nWhat `ros2 param describe` says. *Live* ones may change while frames "
        "stream; the others while the node is unconfigured.\n"
    )
    parts = [head]
    for title, kind in (("/tracker", Settings), ("/follower", FollowerSettings)):
        parts.append(f"## {title}\n")
        groups: dict[str, list[tuple[str, ...]]] = {}
        for name, (default, option) in parameter_options(kind).items():
            group = name.rpartition(".")[0]
            groups.setdefault(group, []).append(_parameter(name, default, option))
        for group, rows in groups.items():
            if group:
                parts.append(f"### {title}: {group}\n")
            parts.append(_table(PARAMETER, rows))
    parts += [_flat("/player", PlayerConfig), _flat("/console", WebConfig)]
    return "\n".join(parts)


def _flat(title: str, kind: Any) -> str:
    from dataclasses import fields

    from etam_ros.options import option_of

    rows = [_parameter(item.name, item.default, option_of(item)) for item in fields(kind)]
    return f"## {title}\n\n" + _table(PARAMETER, rows)


def _parameter(name: str, default: object, option: Any) -> tuple[str, ...]:
    if option.choices:
        allowed = ", ".join(f"`{each}`" for each in option.choices)
    elif option.minimum is None and option.maximum is None:
        allowed = ""
    else:
        low = "" if option.minimum is None else f"{option.minimum:g}"
        high = "" if option.maximum is None else f"{option.maximum:g}"
        allowed = f"{low} to {high}"
    shown = f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`"
    if default in ("", ()):
        shown = option.unset or "none"
    return f"`{name}`", option.description, shown, allowed, "yes" if option.live else ""


def messages() -> str:
    """Every message and service as it is defined."""
    parts = ["# Messages and services\n"]
    for kind in ("msg", "srv"):
        parts += [
            f"## etam_ros/{kind}/{path.stem}\n\n```{{literalinclude}} ../../{kind}/{path.name}\n"
            ":language: text\n```\n"
            for path in sorted((ROOT / kind).glob(f"*.{kind}"))
        ]
    return "\n".join(parts)


def python() -> str:
    """What `import etam_ros` offers, from its docstrings."""
    import etam_ros

    parts = ["# Python\n\nWhat `from etam_ros import …` offers.\n"]
    for name in etam_ros.__all__:
        found: Any = getattr(etam_ros, name)
        directive = "autoclass" if isinstance(found, type) else "autofunction"
        members = "   :members:\n" if directive == "autoclass" else ""
        parts.append(
            f"## {name}\n\n```{{eval-rst}}\n.. {directive}:: {found.__module__}.{name}\n"
            f"{members}```\n"
        )
    return "\n".join(parts)


def examples() -> str:
    """The programs of examples/, whole."""
    parts = ["# Examples\n\nShort programs to begin with; the tests run them all.\n"]
    parts += [
        f"## {path.name}\n\n```{{literalinclude}} ../../examples/{path.name}\n"
        ":language: python\n```\n"
        for path in sorted((ROOT / "examples").glob("*.py"))
    ]
    return "\n".join(parts)


def of_root(name: str) -> str:
    """A document of the repository's root, its links led to the pages of the site."""

    def led(link: re.Match[str]) -> str:
        path = Path(link[1])
        if path.parts[0] == "docs":
            return f"](../{path.relative_to('docs')}"
        if path.parts[0] == "examples":
            return "](examples.md"
        if path.stem in OF_ROOT:
            return f"]({path.stem.lower()}.md"
        return link[0]

    return _LINK.sub(led, (ROOT / f"{name}.md").read_text(encoding="utf-8"))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = (" ".join(str(cell).split()).replace("|", "\\|") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
