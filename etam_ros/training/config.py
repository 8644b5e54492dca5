"""Settings of a training run: one frozen, validated dataclass, the only source of defaults."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from etam_ros.config import DEFAULT_MODEL, DEVICES
from etam_ros.errors import ConfigError
from etam_ros.options import Checked, option

OPTIMIZERS: Final = ("adamw", "muon")
TRAINING_PRECISIONS: Final = ("auto", "fp32", "bf16")
SCHEDULES: Final = ("steps", "minutes")
FINE_TUNING_LAYER_DECAY: Final = 0.8

CLIPS: Final = "Clips"
LEARNING: Final = "Learning"
PROMPTS: Final = "Prompts"
MACHINE: Final = "This machine"

share: Final = partial(option, minimum=0.0, maximum=1.0)
"""An option from 0 to 1."""
count: Final = partial(option, minimum=1, maximum=10**9)
"""An option that is a whole number from 1 up."""
# Fields that training and pretraining share.
data_folders: Final = partial(option, (), metavar="path")
run_folder: Final = partial(
    option, description="Folder of the run; an existing run is resumed.", metavar="path"
)
steps_in_all: Final = partial(count, description="Steps of the complete run.")
stop_after: Final = partial(
    option,
    0.0,
    "Stop after this many minutes, resumable; 0 runs to the end.",
    minimum=0.0,
    maximum=1e6,
)
learning_rate: Final = partial(share, description="Learning rate after warm-up.")
decay_of_weights: Final = partial(
    option, 0.05, "Weight decay of matrices.", minimum=0.0, maximum=10.0
)
warmup_steps: Final = partial(option, description="Steps of warm-up.", minimum=0, maximum=10**9)
largest_gradient: Final = partial(
    option, 1.0, "Largest gradient norm; 0 never clips.", minimum=0.0, maximum=1e6
)
arithmetic: Final = partial(
    option,
    "auto",
    "Arithmetic; auto is bf16 where it is fast, otherwise fp32.",
    choices=TRAINING_PRECISIONS,
    panel=MACHINE,
)
training_device: Final = partial(
    option, "auto", "Device to train on.", choices=DEVICES, panel=MACHINE
)
log_period: Final = partial(count, 50, "Steps between lines of log.csv.", panel=MACHINE)


@dataclass(frozen=True)
class TrainingConfig(Checked):
    """Settings of a training run."""

    data: tuple[str, ...] = data_folders(
        "Sequences in DAVIS layout, images/ with masks/, a labelled bag, videos, photographs or "
        "a packed .npz; can be repeated.",
        unset="generated clips",
    )
    recover: bool = option(False, "Read whatever is readable of a damaged bag.")
    out: str = run_folder("training")
    init: str = option(
        "",
        "Initial weights: the name of a model, a weights file, an encoder of `etam pretrain` or "
        "of EfficientSAM, or the folder of another run.",
        unset="from scratch",
    )
    model: str = option("", "Name of the model.", unset=f"that of --init, or {DEFAULT_MODEL}")
    steps: int = steps_in_all(10_000)
    minutes: float = stop_after()
    size: int = option(
        112, "Side of the pictures in pixels.", minimum=32, maximum=2048, panel=CLIPS
    )
    largest: int = option(
        0,
        "Sides of the pictures vary between steps from --size up to this, in steps of 32 pixels.",
        unset="--size",
        minimum=0,
        maximum=2048,
        panel=CLIPS,
    )
    frames: int = count(4, "Frames per clip; 1 trains on single frames.", maximum=64, panel=CLIPS)
    stills: float = share(
        0.0,
        "Share of steps that consist of single frames, as many as the clips of a step have; "
        "they train the response to clicks and boxes.",
        panel=CLIPS,
    )
    stretch: int = count(
        1,
        "The frames are taken from clips this many times as long: objects move less between "
        "them, and fewer disappear.",
        maximum=64,
        panel=CLIPS,
    )
    batch: int = count(8, "Clips per step and process.", maximum=4096, panel=CLIPS)
    objects: int = count(2, "Objects per clip.", maximum=64, panel=CLIPS)
    smallest: float = share(
        0.002,
        "Smallest share of the picture that an object must cover on its first prompted frame.",
        panel=CLIPS,
    )
    schedule: str = option(
        "steps",
        "Schedule of the learning rate: it is lowest when --steps are done, or when --minutes "
        "are over.",
        choices=SCHEDULES,
        panel=LEARNING,
    )
    reuse: int = count(
        1,
        "How many times each clip is used, each time with other prompts: for GPUs that train "
        "faster than clips are generated.",
        maximum=64,
        panel=CLIPS,
    )
    optimizer: str = option(
        "adamw",
        "adamw as in the papers, or muon for the matrices, which learns more in the same number "
        "of steps.",
        choices=OPTIMIZERS,
        panel=LEARNING,
    )
    lr: float = learning_rate(5e-4, panel=LEARNING)
    layer_decay: float = share(
        0.0,
        "Ratio of the learning rate of each ViT block to that of the next.",
        unset=f"{FINE_TUNING_LAYER_DECAY} with --init, otherwise 1",
        panel=LEARNING,
    )
    weight_decay: float = decay_of_weights(panel=LEARNING)
    warmup: int = warmup_steps(200, panel=LEARNING)
    ema: float = share(0.999, "Share of the past in the averaged weights.", panel=LEARNING)
    clip: float = largest_gradient(panel=LEARNING)
    bce_share: float = share(
        0.33,
        "Share of the run, from its start, that uses cross entropy instead of focal loss; use 0 "
        "for fine-tuning.",
        panel=LEARNING,
    )
    taught_presence: float = share(
        0.33,
        "Share of the run, from its start, in which memories depend on true and not on "
        "predicted presence; use 0 for fine-tuning.",
        panel=LEARNING,
    )
    mask_prompts: float = share(0.5, "Share of masks among first prompts.", panel=PROMPTS)
    click_prompts: float = share(
        0.25, "Share of clicks among first prompts; the rest are boxes.", panel=PROMPTS
    )
    corrections: float = share(0.3, "Share of steps that correct the first frame.", panel=PROMPTS)
    second_prompts: float = share(0.3, "Share of steps that correct a later frame.", panel=PROMPTS)
    max_clicks: int = count(
        3, "Largest number of correction clicks on a frame.", maximum=16, panel=PROMPTS
    )
    truth_clicks: float = share(
        0.1,
        "Share of correction clicks drawn from the ground truth instead of the error.",
        panel=PROMPTS,
    )
    mask_corruption: float = share(
        0.25,
        "Share of carried masks that are corrupted, for models that carry masks.",
        panel=PROMPTS,
    )
    seed: int = option(
        0, "Seed of weights, clips and prompts.", minimum=0, maximum=2**31 - 1, panel=MACHINE
    )
    workers: int = option(
        1,
        "Processes that generate clips; 0 generates them in the training process.",
        minimum=0,
        maximum=1024,
        panel=MACHINE,
    )
    threads: int = option(
        0, "Threads of PyTorch.", unset="PyTorch's default", minimum=0, maximum=1024, panel=MACHINE
    )
    precision: str = arithmetic()
    device: str = training_device()
    log_every: int = log_period()
    picture_every: int = count(1000, "Steps between sample pictures.", panel=MACHINE)
    save_every_s: float = option(
        300.0, "Seconds between states.", minimum=0.0, maximum=1e9, panel=MACHINE
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.largest and self.largest < self.size:
            raise ConfigError(
                f"largest is {self.largest} and size {self.size}, expected largest from size up, "
                "or 0 for one size"
            )
        if self.schedule == "minutes" and not self.minutes:
            raise ConfigError("schedule is minutes and minutes is 0, expected a number of minutes")
        if self.mask_prompts + self.click_prompts > 1.0 + 1e-9:
            raise ConfigError(
                f"mask_prompts {self.mask_prompts:g} and click_prompts {self.click_prompts:g} "
                "add up to more than 1, expected shares whose rest are boxes"
            )
