"""Image files: reading, writing, and metadata.

Pictures are read as uint8 arrays in sRGB. Independent of networks and
configurations.
"""
