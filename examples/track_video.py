"""Follow what lies under a click on the first frame of a video; print where it is on the others.

python examples/track_video.py clip.mp4 320 240
"""

import sys

import cv2

from etam_ros import Frame, Prompt, Tracker, open_stages


def main() -> None:
    path, x, y = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    video = cv2.VideoCapture(path)
    with open_stages() as stages:  # etam_nano, on the fastest backend that was built here
        tracker = Tracker(stages)
        while True:
            read, picture = video.read()
            if not read:
                break
            result = tracker.step(Frame(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
            if result.frame_number == 1:
                clicked = tracker.add_prompt(Prompt(points=[(x, y)], point_labels=[1]))
                print(f"object {clicked.object_id}: {clicked.area} pixels")
            for state in result.objects:
                where = "hidden" if state.occluded else "at {:.0f}, {:.0f}".format(*state.centroid)
                print(f"frame {result.frame_number}: {where}, visibility {state.visibility:.2f}")


if __name__ == "__main__":
    main()
