"""The objective function and its gradient.

Gram matrices, losses, targets, and the objective function, evaluated on the
whole frame or tile by tile. Independent of devices, optimizers and files.
"""
