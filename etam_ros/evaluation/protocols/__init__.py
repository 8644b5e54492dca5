"""How objects are prompted and corrected while a video is judged.

| protocol | prompts | passes |
|---|---|---|
| `semi` | on the first frame that shows the object | one |
| `online` | the same, then on each frame where the IoU has fallen under 0.75 | one |
| `offline` | the same, then on the frame of the largest error of the pass before | one for each \
interacted frame |

Source: Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024, section 6 and appendix
E: three clicks on an interacted frame, up to eight such frames, each click in the centre of the
largest error.
"""
