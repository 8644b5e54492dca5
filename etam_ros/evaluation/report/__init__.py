"""Reports on a run: measures over all videos, tables, a page, comparisons."""
