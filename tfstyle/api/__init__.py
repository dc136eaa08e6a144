"""The Python API, exported by `tfstyle`.

Style transfer from images of any kind to a `Result`, which notebooks display;
and building blocks for research: features, Gram matrices, the objective.
"""
