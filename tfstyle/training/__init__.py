"""The optimisation: pixels, optimizers, pyramid levels.

`stylize` turns arrays into an array. It knows no files.
"""
