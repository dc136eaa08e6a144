"""Configuration: options of a run, their validation and text form.

Depends on the network's layer names, but never imports TensorFlow.
"""
