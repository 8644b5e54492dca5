"""Read what rosidl makes of messages and services for Python, from their sources.

Messages and services come from `PACKAGE/msg/*.msg` and `PACKAGE/srv/*.srv`, what every generated
class has from the templates of rosidl_generator_py, and what `uint8[]` may be besides an array
from the stub of rosidl_buffer. Also: which versions of packages are there.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_CONSTANT: Final = re.compile(r"\w+(?:<=\d+)?\s+([A-Z]\w*)\s*=")
_FIELD: Final = re.compile(r"[\w/]+(?:<=\d+)?(?:\[[<=\d]*\])?\s+([a-z]\w*)(?:\s|$)")
_IN_TEMPLATE: Final = re.compile(r"^ +(?:def (\w+)\(|(_?[A-Z]\w+|__slots__)\b.* = )", re.MULTILINE)
_PARTS: Final = ("Request", "Response")
_VERSION: Final = re.compile(r"<version>(.*)</version>")
_BETWEEN: Final = re.compile(r"^---.*$", re.MULTILINE)
EVERYWHERE: Final = (
    "SLOT_TYPES", "_TYPE_SUPPORT", "__import_type_support__", "get_fields_and_field_types",
    "backend_type", "to_array", "to_bytes",
)  # fmt: skip
"""What no class has but those of rosidl, and what a `rosidl_buffer.Buffer` has."""


def is_interface(module: str | None) -> bool:
    """Whether a module is one of messages or services that are not ours."""
    package, _, kind = (module or "").partition(".")
    return kind in ("msg", "srv") and package != "etam_ros"


def read_messages(folder: Path) -> tuple[set[str], dict[str, set[str]]]:
    """Read all messages and services below a folder, and what their classes have.

    Returns:
        names of modules, classes and constants, and members of classes: each with the arguments
        that it takes, which for a class are the names of its fields.
    """
    names: set[str] = set()
    members: dict[str, set[str]] = defaultdict(set)
    for kind in ("msg", "srv"):
        for path in sorted(folder.glob(f"*/{kind}/*.{kind}")):
            module = f"{path.parts[-3]}.{kind}"
            name = f"{module}.{path.stem}"
            names |= {module, name}
            parts = _BETWEEN.split(path.read_text(encoding="utf-8"))
            classes = (path.stem,) if kind == "msg" else _PARTS
            for each, text in zip(classes, parts, strict=False):
                whole = name if kind == "msg" else f"{name}.{each}"
                names |= {whole, *(f"{whole}.{constant}" for constant in _all(_CONSTANT, text))}
                members[each] |= set(_all(_FIELD, text))
    for path in folder.glob("rosidl_generator_py/resource/_*.py.em"):
        for found in _IN_TEMPLATE.findall(path.read_text(encoding="utf-8")):
            members["".join(found)] |= set()
    for path in folder.glob("rosidl_buffer_py/rosidl_buffer/*.pyi"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                members[node.name] |= set()
    return names, members


def versions_in(folder: Path) -> dict[str, str]:
    """Versions of the packages below a folder, by their names."""
    found = {
        path.parent.name: _VERSION.search(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*/package.xml"))
    }
    return {name: version[1] for name, version in found.items() if version}


def _all(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (found[1] for line in text.splitlines() if (found := pattern.match(line)))
