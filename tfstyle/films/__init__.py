"""Films: every frame painted in a style, steady from frame to frame."""
