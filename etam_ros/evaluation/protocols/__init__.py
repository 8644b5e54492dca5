"""How objects are prompted and corrected during an evaluation.

| protocol | prompts | passes |
|---|---|---|
| `semi` | on the first frame that shows the object | one |
| `online` | the same, then on each frame on which the IoU is below 0.75 | one |
| `offline` | the same, then on the worst frame of the previous pass | one for each \
interacted frame |

Source: Ravi et al., SAM 2: Segment Anything in Images and Videos, 2024, section 6 and appendix
E: three clicks on an interacted frame, up to eight such frames, each click at the centre of the
largest error.
"""
