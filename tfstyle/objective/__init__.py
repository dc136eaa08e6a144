"""The number that is minimised, and its gradient.

Gram matrices, losses, targets, and the objective function: of a whole frame or
tile by tile. It knows nothing about devices, optimizers or files.
"""
