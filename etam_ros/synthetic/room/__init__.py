"""A furnished room in three dimensions, seen by a camera that drives about in it."""
