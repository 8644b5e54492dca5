"""Pictures and videos on disk: sources of frames, label PNGs, video files."""
