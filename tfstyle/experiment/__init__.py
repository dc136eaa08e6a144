"""Runs of the command line: inputs, workdir, checkpoints, resuming, outputs."""
