"""The runtimes that can run the stages, one folder each."""
