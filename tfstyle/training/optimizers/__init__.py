"""Optimizers over the pixels of one image.

Each is made from the image, a `tf.Variable`, and the function that evaluates
it. `start()` evaluates the image as it is; `update_step()` moves it once; both
return the losses of the image as it then is. `state()` and `restore()` carry
one on in another process, after `start()` there.
"""
