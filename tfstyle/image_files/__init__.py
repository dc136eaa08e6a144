"""Image files: reading, writing, and metadata.

Pictures come out as uint8 arrays in sRGB. It knows nothing about networks or
configurations.
"""
