"""The image encoder of SAM 2: Hiera, and a pyramid of whose levels the mask decoder sees three."""
