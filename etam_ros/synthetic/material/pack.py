"""Pack photographs and footage for training into one file.

python -m etam_ros.synthetic.material.pack material.npz train_images/balloon walks/video.mp4
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from etam_ros.errors import EtamError
from etam_ros.synthetic.material.archive import pack_material
from etam_ros.synthetic.material.loading import load_material
from etam_ros.synthetic.material.moving_things import with_tracks


def main() -> int:
    """Pack what the command line names; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m etam_ros.synthetic.material.pack",
        description="Pack photographs and footage for training into one file.",
        epilog="Example: python -m etam_ros.synthetic.material.pack material.npz photographs",
    )
    parser.add_argument("out", type=Path, help="File to write.")
    parser.add_argument("paths", type=Path, nargs="+", help="Folders, videos or packed files.")
    parser.add_argument("--max-mib", type=float, default=40.0, help="Largest size.")
    parser.add_argument("--longest-px", type=int, default=288, help="Of pictures, in pixels.")
    parser.add_argument("--no-tracks", action="store_true", help="Outline nothing in footage.")
    asked = parser.parse_args()
    try:
        material = load_material(asked.paths, longest_px=asked.longest_px)
        if not asked.no_tracks and material.footage and not material.tracks:
            material = with_tracks(material)
        size = pack_material(material, asked.out, max_bytes=int(asked.max_mib * 2**20))
    except EtamError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{asked.out}: {len(material.photographs)} photographs, {len(material.footage)} pieces of "
        f"footage with {len(material.tracks)} tracks, {size / 2**20:.1f} MiB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
