"""VGG19: a table of its layers, its weights, and Keras models made of them.

It knows nothing about losses or configurations: functions take plain
arguments.
"""
