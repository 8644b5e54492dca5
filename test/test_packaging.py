"""The files that pip, colcon and rosdep read agree with each other and with the sources."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from xml.etree import ElementTree

import pytest
import setuptools
from packaging.specifiers import SpecifierSet
from setuptools.command.egg_info import FileList

import etam_ros
from etam_ros.errors import ConfigError
from etam_ros.paths import share_file

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
CMAKE = (ROOT / "CMakeLists.txt").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGE = ElementTree.parse(ROOT / "package.xml").getroot()
DECLARED = {item.text for item in PACKAGE if item.tag.endswith("depend")}
OPTIONAL_ROS = {"cv_bridge", "launch", "launch_ros"}  # of which PyPI has no wheels


def requirements() -> list[str]:
    project = PROJECT["project"]
    return [
        *PROJECT["build-system"]["requires"],
        *project["dependencies"],
        *(item for group in project["optional-dependencies"].values() for item in group),
    ]


def distribution(requirement: str) -> str:
    """`ros-jazzy-rclpy ; python_version < '3.14'` -> `ros-jazzy-rclpy`."""
    return re.split(r"[ <>=!~;\[]", requirement)[0].lower().replace("_", "-")


def ros_imports() -> set[str]:
    """ROS packages that etam_ros/ros and launch/ import."""
    names = set()
    for path in [*(ROOT / "etam_ros" / "ros").glob("*.py"), *(ROOT / "launch").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    ros = re.compile(r"(rclpy|cv_bridge|launch|launch_ros|ament_index_python|\w+_msgs|\w+_srvs|"
                     r"\w+_interfaces)$")  # fmt: skip
    return {name for name in names if ros.match(name)}


def test_what_is_imported_on_first_use_is_listed() -> None:
    assert set(etam_ros.__all__) <= set(dir(etam_ros))


def test_the_version_is_the_same_everywhere():
    versions = {PACKAGE.findtext("version"), PROJECT["project"]["version"], etam_ros.__version__}
    assert len(versions) == 1
    assert f"## [{versions.pop()}]" in (ROOT / "CHANGELOG.md").read_text()


def test_an_sdist_has_what_git_has(monkeypatch):
    monkeypatch.chdir(ROOT)
    if not Path(".git").exists():
        pytest.skip("this is not a git checkout, so nothing says what belongs to the sources")
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.splitlines() if Path(name).exists()}
    files = FileList()
    for line in Path("MANIFEST.in").read_text().splitlines():
        if line and not line.startswith("#"):
            files.process_template_line(line)
    by_itself = {"pyproject.toml", "setup.py", "README.md", "LICENSE", "MANIFEST.in"}
    for_developers = {name for name in tracked if name.startswith((".ci/", ".git", ".pre-commit"))}
    assert {
        name for name in files.files if name in tracked
    } | by_itself == tracked - for_developers
    made = [
        name for name in files.files if "__pycache__" in name or name.endswith((".pyc", ".so"))
    ]
    assert not made


def test_files_that_are_no_modules_are_installed_too():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["etam_ros"]
    package = ROOT / "etam_ros"
    there = {
        path.relative_to(package)
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".so", ".md")
    }
    installed = {path.relative_to(package) for each in patterns for path in package.glob(each)}
    assert there - installed == set()


def test_cmake_generates_every_message_and_service():
    there = {
        str(path.relative_to(ROOT)) for kind in ("msg", "srv") for path in ROOT.glob(f"{kind}/*")
    }
    assert set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', CMAKE)) == there


def test_packages_that_messages_use_are_depended_on():
    used = set()
    for kind in ("msg", "srv"):
        for path in ROOT.glob(f"{kind}/*"):
            used |= set(re.findall(r"^([a-z]\w+)/", path.read_text(), re.MULTILINE))
    used.discard("etam_ros")
    assert used <= DECLARED
    dependencies = re.search(r"DEPENDENCIES ([^)]*)\)", CMAKE)
    assert dependencies is not None
    assert used <= set(dependencies[1].split())


def test_ros_packages_that_are_imported_are_declared_to_rosdep_and_pip():
    assert ros_imports() <= DECLARED
    wheels = {distribution(item) for item in PROJECT["project"]["dependencies"]}
    needed = ros_imports() - OPTIONAL_ROS - {"ament_index_python"}  # of rclpy itself
    assert {f"ros-jazzy-{name.replace('_', '-')}" for name in needed} <= wheels


def test_ros_wheels_are_asked_for_where_they_exist_alone():
    for item in requirements():
        if distribution(item).startswith("ros-"):
            assert "platform_machine == 'x86_64'" in item
            assert "sys_platform == 'linux'" in item
            assert "python_version < '3.14'" in item


def test_every_requirement_is_pinned():
    pins = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, version = line.partition(" ;")[0].split("==")
            assert re.fullmatch(r"[0-9][\w.+]*", version), line
            assert name not in pins, line
            pins[name] = version
    assert {distribution(item) for item in requirements()} <= set(pins)


def test_pins_are_of_versions_that_python_3_10_has_or_say_otherwise():
    """Of those that are installed here, whose metadata tells."""
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    always = dict(line.split("==") for line in pins if "==" in line and ";" not in line)
    refused = {
        each.name: needed
        for each in metadata.distributions()
        if always.get(each.name.lower().replace("_", "-")) == each.version
        and (needed := each.metadata.get("Requires-Python"))
        and not SpecifierSet(needed).contains("3.10.0")
    }
    assert refused == {}, "pin a version that Python 3.10 has, or add a marker"


def test_console_scripts_lead_to_functions():
    for target in PROJECT["project"]["scripts"].values():
        module, function = target.split(":")
        path = ROOT / (module.replace(".", "/") + ".py")
        tree = ast.parse(path.read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_executables_for_ros2_run_are_installed_and_executable():
    programs = re.search(r"install\(PROGRAMS ([^)]*?) DESTINATION", CMAKE)
    assert programs is not None
    names = set(programs[1].split())
    assert {f"scripts/{name}" for name in PROJECT["project"]["scripts"]} == names
    for name in names:
        assert os.access(ROOT / name, os.X_OK)
        assert (ROOT / name).read_text().startswith("#!/usr/bin/env python3\n")


def test_etam_is_installed_as_a_command():
    command = Path(sys.executable).with_name("etam")
    if not command.is_file():
        pytest.skip("installed by colcon, where it is `ros2 run etam_ros etam`")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    assert done.stdout == f"etam {etam_ros.__version__}\n"


@pytest.mark.parametrize("path", sorted((ROOT / "config").iterdir()), ids=lambda path: path.name)
def test_configuration_files_are_found(path):
    found = share_file(f"config/{path.name}")
    assert found.read_bytes() == path.read_bytes()


def test_a_file_that_does_not_exist_is_refused_with_words():
    with pytest.raises(ConfigError, match=r"config/no\.yaml is missing from the installation"):
        share_file("config/no.yaml")


def test_types_are_shipped():
    assert "py.typed" in PROJECT["tool"]["setuptools"]["package-data"]["etam_ros"]
    assert (ROOT / "etam_ros" / "py.typed").is_file()


@pytest.fixture
def setup_script(monkeypatch):
    """The functions of setup.py, without a build."""
    monkeypatch.setattr(setuptools, "setup", lambda **_: None)
    monkeypatch.chdir(ROOT)
    return runpy.run_path("setup.py")


@pytest.mark.parametrize(
    ("staged", "installed"),
    [
        ("lib/libetam_ros__rosidl_typesupport_c.so", "lib/libetam_ros__rosidl_typesupport_c.so"),
        ("share/etam_ros/package.xml", "share/etam_ros/package.xml"),
        ("share/etam_ros/config/tracker.yaml", "share/etam_ros/config/tracker.yaml"),
        ("share/etam_ros/cmake/etam_rosConfig.cmake", None),
        ("share/etam_ros/local_setup.bash", None),
        ("include/etam_ros/etam_ros/msg/prompt.h", None),
        ("lib/etam_ros/tracker_node", None),
        ("lib/python3.12/site-packages/etam_ros/config.py", None),
        ("lib/python3.12/site-packages/etam_ros-0.2.0-py3.12.egg-info/PKG-INFO", None),
    ],
)
def test_pip_takes_what_it_needs_of_the_cmake_build(setup_script, staged, installed):
    expected = None if installed is None else Path(installed)
    assert setup_script["target_of"](Path(staged)) == expected


@pytest.mark.parametrize("file", ["msg/_prompt.py", "etam_ros_s__rosidl_typesupport_c.so"])
def test_pip_lays_the_messages_beside_our_modules(setup_script, file):
    found = setup_script["target_of"](Path("lib/python3.12/site-packages/etam_ros") / file)
    assert found.parts[-len(Path(file).parts) - 1 :] == ("etam_ros", *Path(file).parts)
    assert not found.is_absolute()


def test_a_sourced_ros_is_built_against_alone(setup_script, monkeypatch, tmp_path):
    adapter = tmp_path / "ros" / "lib" / "python3" / "site-packages" / "rosidl_adapter"
    adapter.mkdir(parents=True)
    (adapter / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(adapter.parent))
    monkeypatch.delitem(sys.modules, "rosidl_adapter", raising=False)
    monkeypatch.setenv("AMENT_PREFIX_PATH", os.pathsep.join([str(tmp_path / "ros"), "/overlay"]))
    assert setup_script["ros_prefixes"]() == [str(tmp_path / "ros"), "/overlay"]
    monkeypatch.setenv("AMENT_PREFIX_PATH", "/elsewhere")
    assert setup_script["ros_prefixes"]() == [str(tmp_path / "ros")]


def test_without_ros_there_is_nothing_to_build_against(setup_script, monkeypatch):
    monkeypatch.setitem(setup_script["ros_prefixes"].__globals__, "find_spec", lambda _: None)
    assert setup_script["ros_prefixes"]() == []
