"""What a pretraining run is told: one frozen, validated dataclass, the only source of defaults."""

from __future__ import annotations

from dataclasses import dataclass, replace

from etam_ros.config import DEVICES, Checked, option
from etam_ros.model import ModelConfig, model_config
from etam_ros.training.config import PRECISIONS


@dataclass(frozen=True)
class PretrainingConfig(Checked):
    """A pretraining run."""

    teacher: str = option("", "Name of the model whose features are learned.")
    teacher_weights: str = option("", "Its weights file; empty takes the model's own.")
    teacher_size: int = option(
        0, "Side of the teacher's input in pixels; 0 is its own.", minimum=0, maximum=2048
    )
    student: str = option("etam_nano", "Name of the model whose encoder learns.")
    size: int = option(
        0, "Side of the student's input in pixels; 0 is its own.", minimum=0, maximum=2048
    )
    data: tuple[str, ...] = option(
        (), "Photographs: folders, videos or a packed .npz; none makes pictures up."
    )
    out: str = option("pretraining", "Folder of the run; a run that is there goes on.")
    steps: int = option(20_000, "Steps of the whole run.", minimum=1, maximum=10**9)
    batch: int = option(32, "B, pictures of a step.", minimum=1, maximum=65536)
    masks_per_picture: int = option(
        1,
        "Ways in which each picture of a step is hidden; more of them share the teacher's work.",
        minimum=1,
        maximum=64,
    )
    hidden_share: float = option(
        0.75, "Share of a picture's tokens that are hidden.", minimum=0.0, maximum=0.99
    )
    decoder_depth: int = option(
        2, "Blocks of the decoder of hidden tokens.", minimum=1, maximum=32
    )
    lr: float = option(1e-3, "Learning rate after warm-up.", minimum=0.0, maximum=1.0)
    weight_decay: float = option(0.05, "AdamW's weight decay.", minimum=0.0, maximum=10.0)
    warmup: int = option(500, "Steps of warm-up.", minimum=0, maximum=10**9)
    clip: float = option(1.0, "Largest gradient norm; 0 never clips.", minimum=0.0, maximum=1e6)
    unseen: int = option(
        64, "Unseen pictures that errors are measured on.", minimum=1, maximum=65536
    )
    log_every: int = option(50, "Steps of a line in log.csv.", minimum=1, maximum=10**9)
    measure_every: int = option(
        500, "Steps between measurements on unseen pictures.", minimum=1, maximum=10**9
    )
    save_every: int = option(500, "Steps between saved states.", minimum=1, maximum=10**9)
    minutes: float = option(
        0.0, "Stop after so long, ready to go on; 0 runs to the end.", minimum=0.0, maximum=1e6
    )
    precision: str = option("auto", "auto is bf16 where it is fast.", choices=PRECISIONS)
    device: str = option("auto", "Where it trains.", choices=DEVICES)
    workers: int = option(
        0, "Processes that read pictures; 0 reads them in between.", minimum=0, maximum=1024
    )
    seed: int = option(0, "Of weights, crops and masks.", minimum=0, maximum=2**29 - 1)

    @property
    def student_config(self) -> ModelConfig:
        """The student at the size that it trains at."""
        config = model_config(self.student)
        return replace(config, image_size=self.size) if self.size else config

    @property
    def picture_size(self) -> int:
        """S: what the larger of teacher and student sees; the other's is reduced from it."""
        teacher_size = self.teacher_size or model_config(self.teacher).image_size
        return max(teacher_size, self.student_config.image_size)
