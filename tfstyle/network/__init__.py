"""VGG19: table of its layers, weights, and Keras models.

Independent of losses and configurations: functions take plain arguments.
"""
