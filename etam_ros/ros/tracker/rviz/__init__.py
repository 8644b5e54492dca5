"""What RViz shows and clicks on: the picture as a plane, and markers."""
