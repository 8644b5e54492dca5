"""`etam segment`: masks of one picture, by clicks and boxes."""

from __future__ import annotations

from pathlib import Path

import typer

from etam_ros.cli.terminal.options import options_of
from etam_ros.config import NetworkConfig
from etam_ros.errors import SourceError
from etam_ros.offline.config import SegmentConfig


@options_of(SegmentConfig, positional="image")
@options_of(NetworkConfig)
def segment(config: SegmentConfig, network: NetworkConfig) -> None:
    """Segment objects in one picture, by clicks and boxes.

    Every model does so: EfficientSAM, which is made for it, and those that follow objects, as
    they answer a first prompt.

    Clicks and boxes mean an object each, unless an ID and a colon stand before them, which put
    together what is said of one: --click 320,240 --click 1:340,250 --background 1:10,20

    A prompts file has an entry for each object, in pixels of the picture: clicks (label 1 on the
    object, 0 off it), a box, or both:

    [ {"points": [ [320, 240] ], "labels": [1], "label": "cup"}, {"box": [40, 60, 200, 220]} ]
    """
    # Everything heavy comes now, so that help is quick.
    from etam_ros.media.result_folder import ResultFolder
    from etam_ros.media.run_record import RunRecord
    from etam_ros.media.sources import read_image
    from etam_ros.offline.output_folder import SEGMENTED, check_output_folder, kept_names
    from etam_ros.offline.picture_prompts import picture_prompts
    from etam_ros.offline.segment_output import write_segmented
    from etam_ros.records import Frame
    from etam_ros.segmenting import open_segmenter

    path = Path(config.image)
    if not path.is_file():
        raise SourceError(
            f"image {path} is no file, expected one picture: check the path; folders and videos "
            "are for `etam track`"
        )
    frame = Frame(read_image(path))
    said = picture_prompts(config, frame)
    listing = Path(config.prompts) if config.prompts else None
    check_output_folder(config.folder, config.image, listing, SEGMENTED)
    prompts = [item.prompt for item in said]
    with open_segmenter(**vars(network)) as segmenter:
        segmenter.set_image(frame.image)
        answers = segmenter.segment(prompts)
    files = SEGMENTED.files if config.save_logits else SEGMENTED.files[:-1]
    record = RunRecord("segment", config.image, network.model, frames_in_source=1, files=files)
    kept = kept_names(config.folder, listing, SEGMENTED)
    with ResultFolder(config.folder, SEGMENTED, record, kept=kept) as folder:
        write_segmented(folder.place, frame, prompts, answers, save_logits=config.save_logits)
        folder.frames = 1
    unseen = [str(p.object_id) for p, a in zip(prompts, answers, strict=True) if not a.mask.any()]
    without = f"; nothing seen of {', '.join(unseen)}" if unseen else ""
    objects = "1 object" if len(prompts) == 1 else f"{len(prompts)} objects"
    typer.echo(f"segmented {objects}{without}; results in {config.folder}")
