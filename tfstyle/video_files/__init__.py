"""Video files to sRGB frames and back."""
