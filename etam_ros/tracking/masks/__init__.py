"""What is measured of masks at source size."""
