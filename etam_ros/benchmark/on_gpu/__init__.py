"""All that must be proven on a GPU, in one call: is it right, how fast, and what it learns."""
