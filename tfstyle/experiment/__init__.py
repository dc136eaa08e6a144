"""A run with a directory, and many runs.

What is read and written: inputs, outputs, checkpoints, metrics, reports,
batches and the exported SavedModel.
"""
