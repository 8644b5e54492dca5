"""Settings of a pretraining run: a frozen, validated dataclass, the only source of defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from etam_ros.config import DEFAULT_MODEL
from etam_ros.options import Checked, option
from etam_ros.training.config import (
    MACHINE,
    arithmetic,
    count,
    data_folders,
    decay_of_weights,
    largest_gradient,
    learning_rate,
    log_period,
    run_folder,
    steps_in_all,
    stop_after,
    training_device,
    warmup_steps,
)

if TYPE_CHECKING:
    from etam_ros.model import ModelConfig

RUN: Final = "The run"


@dataclass(frozen=True)
class PretrainingConfig(Checked):
    """Settings of a pretraining run."""

    teacher: str = option(
        "",
        "Name of the model whose image encoder is the teacher; also models of SAM 2 and "
        "EfficientSAM.",
        required=True,
    )
    teacher_weights: str = option(
        "", "The teacher's weights file.", unset="the model's own", metavar="path"
    )
    teacher_size: int = option(
        0,
        "Side of the teacher's input in pixels.",
        unset="its own",
        minimum=0,
        maximum=2048,
    )
    student: str = option(DEFAULT_MODEL, "Name of the model whose image encoder is trained.")
    size: int = option(
        0,
        "Side of the student's input in pixels.",
        unset="its own",
        minimum=0,
        maximum=2048,
    )
    data: tuple[str, ...] = data_folders(
        "Photographs: a folder, a video or a packed .npz; can be repeated.",
        unset="generated pictures",
    )
    out: str = run_folder("pretraining")
    steps: int = steps_in_all(20_000, panel=RUN)
    batch: int = count(32, "Pictures per step.", maximum=65536, panel=RUN)
    masks_per_picture: int = count(
        1,
        "Number of random masks per picture and step; the teacher runs only once for all of them.",
        maximum=64,
        panel=RUN,
    )
    hidden_share: float = option(
        0.75,
        "Share of a picture's tokens that are hidden.",
        minimum=0.0,
        maximum=0.99,
        panel=RUN,
    )
    decoder_depth: int = count(
        2, "Blocks of the decoder that reconstructs hidden tokens.", maximum=32, panel=RUN
    )
    lr: float = learning_rate(1e-3, panel=RUN)
    weight_decay: float = decay_of_weights(panel=RUN)
    warmup: int = warmup_steps(500, panel=RUN)
    clip: float = largest_gradient(panel=RUN)
    unseen: int = count(
        64, "Held-out pictures on which the error is measured.", maximum=65536, panel=RUN
    )
    seed: int = option(
        0, "Seed of weights, crops and masks.", minimum=0, maximum=2**29 - 1, panel=RUN
    )
    minutes: float = stop_after(panel=MACHINE)
    workers: int = option(
        0,
        "Processes that read pictures; 0 reads them in the training process.",
        minimum=0,
        maximum=1024,
        panel=MACHINE,
    )
    precision: str = arithmetic()
    device: str = training_device()
    log_every: int = log_period()
    measure_every: int = count(
        500, "Steps between measurements on held-out pictures.", panel=MACHINE
    )
    save_every: int = count(500, "Steps between saved states.", panel=MACHINE)

    @property
    def student_config(self) -> ModelConfig:
        """The student's configuration at the picture size of its training."""
        from etam_ros.model import model_config

        config = model_config(self.student)
        return replace(config, image_size=self.size) if self.size else config

    @property
    def picture_size(self) -> int:
        """S: the larger input size of teacher and student; the other is reduced from it."""
        from etam_ros.model import any_model_config

        teacher_size = self.teacher_size or any_model_config(self.teacher).image_size
        return max(teacher_size, self.student_config.image_size)
