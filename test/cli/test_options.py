"""Options that are made of configuration fields."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

import pytest
import typer

from etam_ros.benchmark.config import BenchConfig
from etam_ros.cli import main
from etam_ros.cli.terminal.options import options_of
from etam_ros.config import EverythingConfig, MaskletsConfig, NetworkConfig, PlayerConfig
from etam_ros.demo.config import DemoConfig
from etam_ros.errors import ConfigError
from etam_ros.evaluation.config import EvaluationConfig
from etam_ros.offline.config import BagOutputConfig, ReplayConfig, SegmentConfig, TrackConfig
from etam_ros.options import Checked, flag_of, option, option_of
from etam_ros.training.config import TrainingConfig
from etam_ros.training.pretraining.config import PretrainingConfig


@dataclass(frozen=True)
class CupConfig(Checked):
    content: str = option("", "What is in it.", required=True)
    millilitres: int = option(200, "Its size.", minimum=10, maximum=500, flag="--ml")
    fill: float = option(0.0, "How full it is.", unset="half", minimum=0.0, maximum=1.0)
    spoons: tuple[str, ...] = option((), "Beside it.")
    hot: bool = option(False, "Let it steam.", panel="Safety")
    kind: str = option("mug", "Of cup.", choices=("mug", "glass"))


def command_of(verb):
    app = typer.Typer(add_completion=False)
    app.command()(verb)
    return typer.main.get_command(app)


@pytest.fixture
def seen():
    return []


@pytest.fixture
def cup(seen):
    @options_of(CupConfig, positional="content")
    def cup(
        where: Annotated[str, typer.Option()] = "table",
        *,
        config: CupConfig,
        tries: Annotated[int, typer.Option()],
    ) -> None:
        """Set a cup down."""
        seen.append((where, config, tries))

    return command_of(cup)


def test_a_verb_is_given_what_was_typed_beside_defaults(cup, seen):
    cup.main(
        ["tea", "--ml", "300", "--hot", "--spoons", "a", "--spoons", "b", "--tries", "1"],
        standalone_mode=False,
    )
    expected = CupConfig(content="tea", millilitres=300, spoons=("a", "b"), hot=True)
    assert seen == [("table", expected, 1)]


def test_help_shows_what_the_fields_say(cup, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERMINAL_WIDTH", "120")
    cup.main(["--help"], standalone_mode=False)
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "Set a cup down.", "--ml", "<int 10..500>", "Its size. [default: 200]",
        "<float 0..1>", "How full it is. [default: (half)]", "Of cup. One of: mug, glass.",
        "What is in it. [required]", "Safety",
    ):  # fmt: skip
        assert words in said
    assert "--no-hot" not in said


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--ml", "5"], "millilitres is 5, expected 10..500: Its size."),
        (["--kind", "vase"], "kind is 'vase', expected one of mug, glass"),
    ],
)
def test_what_is_not_allowed_is_said_by_the_configuration(cup, args, words):
    with pytest.raises(ConfigError) as raised:
        cup.main(["tea", "--tries", "1", *args], standalone_mode=False)
    assert str(raised.value) == words


def test_fields_that_are_not_named_keep_their_defaults(seen):
    @options_of(CupConfig, "content", "hot")
    def set_down(config: CupConfig) -> None:
        seen.append(config)

    command = command_of(set_down)
    assert {each.name for each in command.params} == {"content", "hot"}
    command.main(["--content", "milk"], standalone_mode=False)
    assert seen == [CupConfig(content="milk")]


EXTRA = {"track": {"--max-objects"}, "play": {"--no-transport-profile"}}
"""Options that are fields of other classes, or of the process."""
KEPT = {"bench": {"engine_dir"}, "demo": {"backend", "precision", "device", "engine_dir"}}
"""Fields that are no options of a verb."""


@pytest.mark.parametrize(
    ("verb", "configs"),
    [
        ("train", [TrainingConfig]),
        ("pretrain", [PretrainingConfig]),
        ("play", [PlayerConfig]),
        ("bench", [BenchConfig]),
        ("demo", [DemoConfig]),
        ("eval", [EvaluationConfig]),
        ("segment", [SegmentConfig, NetworkConfig, EverythingConfig]),
        (
            "track",
            [
                TrackConfig,
                NetworkConfig,
                ReplayConfig,
                BagOutputConfig,
                EverythingConfig,
                MaskletsConfig,
            ],
        ),
    ],
)
def test_every_field_is_an_option_of_its_verb_and_nothing_else_is(verb, configs):
    flags = {
        flag for each in main._load(verb).params for flag in (*each.opts, *each.secondary_opts)
    }
    found = {"--help", "-h"}
    for item in (item for config in configs for item in fields(config)):
        assert option_of(item).description.endswith(".")
        if item.name not in KEPT.get(verb, ()):
            own = {*flag_of(item).split("/"), item.name}
            assert own & flags
            found |= own
    assert flags - found <= EXTRA.get(verb, set())
