"""Optimisation of the pixels: optimizers, pyramid levels, training loop.

`stylize` maps arrays to an array; nothing here depends on files.
"""
