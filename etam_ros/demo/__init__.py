"""The demo: its clip, its processes, who listens, and the report."""
