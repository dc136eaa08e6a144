"""Pixels in, pixels out: image files, colour, resizing, preprocessing.

NumPy and Pillow only. It knows nothing about networks or configurations:
functions take plain arguments.
"""
