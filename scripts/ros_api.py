#!/usr/bin/env python3
"""Find what this package uses of rclpy, launch and rosidl, and which ROS 2 distribution has it.

    python scripts/ros_api.py humble=DIR jazzy=DIR     write test/ros_api.json, and print what
                                                       not every one of them has

Each DIR holds source trees as folders of the packages' names: rclpy, and those of launch,
launch_ros, and of messages with rosidl_generator_py and rosidl_buffer_py (all of these together
stand as "rosidl") where they are to be looked up. Unpacked wheels of rclpy do as well. Nothing is
imported. Names are resolved through the imports of a file; what is called on an object is looked
up by its name among the members of all classes of rclpy (of launch, in a launch file), which
finds too much rather than too little. The fields of a message are looked up where it is made.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ros_messages import EVERYWHERE, is_interface, read_messages, versions_in

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "test" / "ros_api.json"
ROSIDL: Final = "rosidl"
PACKAGES: Final = ("rclpy", "launch", "launch_ros", ROSIDL)
OURS: Final = ("etam_ros", "launch", "examples")
_NATIVE: Final = re.compile(
    r'\b(?:def|value)(?:_\w+)?\(\s*"(\w+)"'
    r'|py::(?:class_|enum_|register_exception)<[^;(]*>\s*\(\s*\w+,\s*"(\w+)"'
)
_WORD: Final = re.compile(rb"[A-Za-z_]\w+")
_ASKS: Final = ("getattr", "hasattr")
ANY: Final = "**"
"""Stands for parameters that the sources do not name."""


@dataclass
class Api:
    """What a package offers.

    Attributes:
        names: of modules, and of what they define.
        members: of any of its classes, and functions; with their parameters.
        words: all names in its shared libraries, whose sources are not here.
    """

    names: set[str] = field(default_factory=set)
    members: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    words: set[str] = field(default_factory=set)

    def has(self, use: Use) -> bool:
        """Whether its sources show what is used."""
        if use.dotted:
            return use.name in self.names
        known = self.members.get(use.name)
        return known is not None and (not use.parameter or bool(known & {use.parameter, ANY}))

    def may_have(self, use: Use) -> bool:
        """The same, or a shared library names it."""
        return self.has(use) or (not use.dotted and use.name in self.words)


@dataclass(frozen=True)
class Use:
    """Something of a package that is used.

    Attributes:
        package: rclpy, launch, launch_ros or rosidl.
        name: `rclpy.node.Node`, `std_srvs.srv.Trigger.Request`, or the name of a member or class
            alone.
        parameter: a keyword argument of its call.
    """

    package: str
    name: str
    parameter: str = ""

    @property
    def dotted(self) -> bool:
        """Whether the name says where it is."""
        return "." in self.name

    def __str__(self) -> str:
        """As the table has it."""
        if self.dotted:
            return self.name
        return f"{self.package}: {self.name}" + (f"({self.parameter}=)" if self.parameter else "")


def read_api(folder: Path, package: str) -> Api | None:
    """Read a package from its sources below a folder.

    Modules that call themselves experimental are left out.

    Args:
        folder: holds `PACKAGE/PACKAGE/__init__.py`, or `PACKAGE/__init__.py`.

    Returns:
        None where the folder does not have it.
    """
    if package == ROSIDL:
        api = Api(*read_messages(folder))
        return api if api.names else None
    place = folder / package / package
    place = place if place.is_dir() else folder / package
    if not place.is_dir():
        return None
    api = Api()
    for path in sorted(place.rglob("*.py")):
        parts = (package, *path.relative_to(place).with_suffix("").parts)
        if "experimental" in parts:
            continue
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        api.names.add(module)
        _read_module(ast.parse(path.read_text(encoding="utf-8")), module, api)
    for path in (folder / package).rglob("*.cpp"):
        for found in _NATIVE.findall(path.read_text(encoding="utf-8")):
            api.members["".join(found)].add(ANY)
    for path in (folder / package).rglob("*.so"):
        api.words |= {word.decode() for word in _WORD.findall(path.read_bytes())}
    return api


def _read_module(tree: ast.Module, module: str, api: Api) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).rsplit(".", 1)[-1] for base in node.bases]
            api.members[node.name] |= _of_class(node, api) or ({ANY} if bases else set())
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            api.members[node.name] |= _parameters(node)
    for node in tree.body if not _guards(tree) else ast.walk(tree):
        for name in _defined(node):
            api.names.add(f"{module}.{name}")


def _guards(tree: ast.Module) -> bool:
    """Whether something is defined below a condition at the module's top."""
    return any(isinstance(node, (ast.If, ast.Try)) for node in tree.body)


def _of_class(node: ast.ClassDef, api: Api) -> set[str]:
    """Enter the members of a class; parameters of its constructor."""
    parameters: set[str] = set()
    for each in node.body:
        if isinstance(each, ast.FunctionDef) and each.name in ("__init__", "__new__"):
            parameters |= _parameters(each)
        for name in _defined(each):
            api.members[name] |= set()
    for each in ast.walk(node):
        if isinstance(each, ast.Attribute) and isinstance(each.ctx, ast.Store):
            api.members[each.attr] |= set()
    return parameters


def _parameters(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    arguments = node.args
    found = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return found | ({ANY} if arguments.kwarg else set())


def _defined(node: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (each.asname or each.name.split(".")[0] for each in node.names)
    elif isinstance(node, (ast.Assign, ast.AnnAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (each.id for each in targets if isinstance(each, ast.Name))


def uses_of(root: Path = ROOT) -> dict[Use, str]:
    """What our code uses, or may use, and the first line that does so."""
    found: dict[Use, str] = {}
    for folder in OURS:
        for path in sorted((root / folder).rglob("*.py")):
            where = path.relative_to(root).as_posix()
            for use, line in _uses(ast.parse(path.read_text(encoding="utf-8"))):
                found.setdefault(use, f"{where}:{line}")
    return found


def _uses(tree: ast.Module) -> Iterator[tuple[Use, int]]:
    """The uses of a file; attributes count as those of every package that it imports, or rclpy."""
    imported: dict[str, str] = {}
    for name, whole, line in _imports(tree):
        imported[name] = whole
        if "." in whole:
            yield Use(_package_of(whole), whole), line
    packages = {_package_of(whole) for whole in imported.values()} | _handled(tree)
    packages.discard(ROSIDL)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = _owner(node, imported)
            if owner in PACKAGES or _package_of(owner) == ROSIDL:
                yield Use(_package_of(owner), f"{owner}.{node.attr}"), node.lineno
            else:
                yield from ((use, node.lineno) for use in _members(node.attr, packages))
        elif isinstance(node, ast.Call):
            asked = node.args[1] if len(node.args) > 1 else None
            if isinstance(asked, ast.Constant) and ast.unparse(node.func) in _ASKS:
                yield from ((use, node.lineno) for use in _members(asked.value, packages))
            name, is_message = _called(node, imported)
            of = {ROSIDL} if is_message else packages
            for keyword in node.keywords if name else ():
                if keyword.arg:
                    yield from ((Use(each, name, keyword.arg), node.lineno) for each in of)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """What a file imports of the packages: its name there, its whole name, and the line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and _package_of(node.module):
            for each in node.names:
                yield each.asname or each.name, f"{node.module}.{each.name}", node.lineno
        elif isinstance(node, ast.Import):
            for each in node.names:
                if _package_of(each.name):
                    yield each.asname or each.name.split(".")[0], each.name, node.lineno


def _called(node: ast.Call, imported: dict[str, str]) -> tuple[str, bool]:
    """The name of a method, or of a class or function of the packages, that is called; and
    whether that is a message.
    """
    if isinstance(node.func, ast.Attribute):
        return node.func.attr, _package_of(_owner(node.func, imported)) == ROSIDL
    whole = imported.get(node.func.id, "") if isinstance(node.func, ast.Name) else ""
    return whole.rsplit(".", 1)[-1], _package_of(whole) == ROSIDL


def _members(name: str, packages: set[str]) -> list[Use]:
    return [Use(each, name) for each in ({ROSIDL} if name in EVERYWHERE else packages)]


def _owner(node: ast.Attribute, imported: dict[str, str]) -> str:
    """The whole name of what an attribute is of, where that was imported."""
    return imported.get(node.value.id, "") if isinstance(node.value, ast.Name) else ""


def _package_of(module: str | None) -> str:
    """The package of a module, or of what a module has."""
    parts = (module or "").split(".")
    if is_interface(".".join(parts[:2])):
        return ROSIDL
    return parts[0] if parts[0] in PACKAGES else ""


def _handled(tree: ast.Module) -> set[str]:
    """The packages whose objects a file may be given though it imports nothing of them."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if any(_package_of(whole) in PACKAGES[:3] for _, whole, _ in _imports(tree)):
        return set()
    return {"rclpy"} if names & {"node", "rclpy"} else set()


def main(arguments: list[str]) -> int:
    """Write the table, and print what not every distribution has."""
    if not arguments:
        sys.stderr.write((__doc__ or "").strip() + "\n")
        return 2
    folders = {
        name: Path(folder) for name, _, folder in (each.partition("=") for each in arguments)
    }
    apis = {
        package: {
            name: api
            for name, folder in folders.items()
            if (api := read_api(folder, package)) is not None
        }
        for package in PACKAGES
    }
    read = {package: " ".join(known) for package, known in apis.items()}
    table: dict[str, str] = {}
    for use, where in uses_of().items():
        known = apis[use.package]
        if not any(api.has(use) for api in known.values()):
            continue
        has = table[str(use)] = " ".join(n for n, api in known.items() if api.may_have(use))
        if has != read[use.package]:
            sys.stdout.write(f"{use}: {has} (used in {where})\n")
    told = {
        "versions": {name: versions_in(folder) for name, folder in folders.items()},
        "read": read,
        "uses": dict(sorted(table.items())),
    }
    TABLE.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
