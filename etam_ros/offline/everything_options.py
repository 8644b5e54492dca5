"""What may be told together with --everything, of a picture and of a video."""

from __future__ import annotations

from dataclasses import fields

from etam_ros.errors import ConfigError
from etam_ros.offline.config import SegmentConfig, TrackConfig
from etam_ros.options import Checked, flag_of


def check_everything(config: SegmentConfig | TrackConfig, *of_everything: Checked) -> None:
    """Hold what a command was told to find everything against what else it was told.

    Args:
        config: of the command.
        of_everything: configurations that only --everything reads.

    Raises:
        ConfigError: a prompt beside --everything, or an option that is for it without it.
    """
    if not config.everything:
        _check_unused(of_everything)
        return
    if config.prompts or config.click or config.background or config.box:
        raise ConfigError(
            "--everything takes no prompts, got some: omit --prompts, --click, --background and "
            "--box, or --everything"
        )
    if isinstance(config, TrackConfig):
        if config.pick:
            raise ConfigError("--pick and --everything both choose the objects: omit one of them")
    elif config.save_logits:
        raise ConfigError(
            "--save-logits is for prompts, and --everything keeps no logits of its many clicks: "
            "omit one of them"
        )


def _check_unused(configs: tuple[Checked, ...]) -> None:
    """Raise ConfigError where an option is given that only --everything reads."""
    for config in configs:
        for item in fields(config):  # type: ignore[arg-type]
            if getattr(config, item.name) != item.default:
                raise ConfigError(f"{flag_of(item)} is for --everything: add --everything")
