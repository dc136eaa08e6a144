"""Pixel operations: colour, transparency, resizing, preprocessing.

Uses NumPy and Pillow only. Independent of networks and configurations:
functions take plain arguments.
"""
