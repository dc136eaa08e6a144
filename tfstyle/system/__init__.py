"""The machine: files written atomically, signals, the start of TensorFlow.

It knows nothing about pictures.
"""
