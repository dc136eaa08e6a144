"""Many pictures: the rows of a manifest, shared among processes."""
