"""A run over recorded media: prompts from a file, the loop, what it writes."""
