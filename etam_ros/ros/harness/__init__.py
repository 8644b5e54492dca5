"""Processes of tests, demos and benchmarks: started apart from others, never left behind."""
