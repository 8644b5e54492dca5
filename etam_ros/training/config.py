"""What a training run is told: one frozen, validated dataclass, the only source of defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from etam_ros.config import DEVICES, Checked, option
from etam_ros.errors import ConfigError

OPTIMIZERS: Final = ("adamw", "muon")
PRECISIONS: Final = ("auto", "fp32", "bf16")
SCHEDULES: Final = ("steps", "minutes")
FINE_TUNING_LAYER_DECAY: Final = 0.8
OWN_MODEL: Final = "etam_nano"


@dataclass(frozen=True)
class TrainingConfig(Checked):
    """A training run. Letters: B clips of a step, K objects of each, T frames."""

    out: str = option("training", "Folder of the run; a run that is there goes on.")
    model: str = option("", "Name of the model; empty takes that of --init, else etam_nano.")
    init: str = option(
        "",
        "Begin from a model's weights (its name), a weights file, an encoder.safetensors, or "
        "another run's folder; empty begins from scratch.",
    )
    size: int = option(112, "Side of the pictures in pixels.", minimum=32, maximum=2048)
    largest: int = option(
        0,
        "Each step has a side from --size up to this one, by 32 pixels; 0 keeps --size.",
        minimum=0,
        maximum=2048,
    )
    frames: int = option(4, "T, frames of a clip; 1 trains on stills.", minimum=1, maximum=64)
    stills: float = option(
        0.0,
        "Share of steps on single frames, as many as the clips of a step have: they teach clicks "
        "and boxes.",
        minimum=0.0,
        maximum=1.0,
    )
    stretch: int = option(
        1,
        "T frames are cut out of clips this many times as long: things move less between them, "
        "and fewer disappear.",
        minimum=1,
        maximum=64,
    )
    batch: int = option(8, "B, clips of a step on each process.", minimum=1, maximum=4096)
    objects: int = option(
        2, "K, objects of a clip; few are prompted twice.", minimum=1, maximum=64
    )
    smallest: float = option(
        0.002,
        "Share of the picture that an object covers where it is first prompted, at least.",
        minimum=0.0,
        maximum=1.0,
    )
    steps: int = option(10000, "Steps of the whole run.", minimum=1, maximum=10**9)
    minutes: float = option(
        0.0, "Stop after so long, ready to go on; 0 runs to the end.", minimum=0.0, maximum=1e6
    )
    schedule: str = option(
        "steps",
        "What the learning rate falls by: it is lowest when --steps are done, or when --minutes "
        "are over.",
        choices=SCHEDULES,
    )
    reuse: int = option(
        1,
        "Times that each clip is learned from, each time under other prompts: for GPUs that learn "
        "faster than clips are made.",
        minimum=1,
        maximum=64,
    )
    optimizer: str = option(
        "adamw",
        "adamw as in the papers, or muon for the matrices, which learns more from as many steps.",
        choices=OPTIMIZERS,
    )
    lr: float = option(5e-4, "Learning rate after warm-up.", minimum=0.0, maximum=1.0)
    layer_decay: float = option(
        0.0,
        "Learning rate of each ViT block over the next one's; 0 takes 0.8 with --init, else 1.",
        minimum=0.0,
        maximum=1.0,
    )
    weight_decay: float = option(0.05, "Weight decay of matrices.", minimum=0.0, maximum=10.0)
    warmup: int = option(200, "Steps of warm-up.", minimum=0, maximum=10**9)
    ema: float = option(
        0.999, "Share of the past in the averaged weights.", minimum=0.0, maximum=1.0
    )
    clip: float = option(1.0, "Largest gradient norm; 0 never clips.", minimum=0.0, maximum=1e6)
    bce_share: float = option(
        0.33,
        "First share of the run with cross-entropy in place of focal loss; 0 suits fine-tuning.",
        minimum=0.0,
        maximum=1.0,
    )
    taught_presence: float = option(
        0.33,
        "First share of the run in which memories go by true and not by predicted presence; 0 "
        "suits fine-tuning.",
        minimum=0.0,
        maximum=1.0,
    )
    mask_prompts: float = option(0.5, "Share of first prompts: masks.", minimum=0.0, maximum=1.0)
    click_prompts: float = option(
        0.25, "Share of first prompts: clicks; boxes are the rest.", minimum=0.0, maximum=1.0
    )
    corrections: float = option(
        0.3, "Share of steps that correct the first frame.", minimum=0.0, maximum=1.0
    )
    second_prompts: float = option(
        0.3, "Share of steps that correct a later frame.", minimum=0.0, maximum=1.0
    )
    truth_clicks: float = option(
        0.1, "Share of correction clicks from the truth, not the error.", minimum=0.0, maximum=1.0
    )
    mask_corruption: float = option(
        0.25,
        "Share of carried masks that are disturbed, for models that carry them.",
        minimum=0.0,
        maximum=1.0,
    )
    max_clicks: int = option(3, "Most correction clicks on a frame.", minimum=1, maximum=16)
    precision: str = option("auto", "auto is bf16 where it is fast.", choices=PRECISIONS)
    device: str = option("auto", "Where it trains.", choices=DEVICES)
    seed: int = option(0, "Of weights, clips and prompts.", minimum=0, maximum=2**31 - 1)
    workers: int = option(
        1, "Processes that make clips; 0 makes them in between.", minimum=0, maximum=1024
    )
    log_every: int = option(50, "Steps of a line in log.csv.", minimum=1, maximum=10**9)
    picture_every: int = option(1000, "Steps between sample pictures.", minimum=1, maximum=10**9)
    save_every_s: float = option(300.0, "Seconds between states.", minimum=0.0, maximum=1e9)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.largest and self.largest < self.size:
            raise ConfigError(
                f"largest is {self.largest} and size {self.size}, expected largest from size up, "
                "or 0 for one size"
            )
        if self.schedule == "minutes" and not self.minutes:
            raise ConfigError("schedule is minutes and minutes is 0, expected how many there are")
        if self.mask_prompts + self.click_prompts > 1.0 + 1e-9:
            raise ConfigError(
                f"mask_prompts {self.mask_prompts:g} and click_prompts {self.click_prompts:g} are "
                "more than 1 together, expected shares of which boxes are the rest"
            )
