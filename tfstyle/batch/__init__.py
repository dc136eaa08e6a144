"""Batch processing: paints the rows of a manifest, in one or more processes."""
