"""What can be chosen about a run, and how it is written down.

Config and its validation, command line flags, flagfiles and the text inside a
picture. It knows the network's layer names and image files, and never loads
TensorFlow.
"""
