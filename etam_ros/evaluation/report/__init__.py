"""What is made of the results of a run: numbers over all videos, tables, a page, comparisons."""
