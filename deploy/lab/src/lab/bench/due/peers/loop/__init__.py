"""A bare SQL loop: the least that can be written by hand."""
