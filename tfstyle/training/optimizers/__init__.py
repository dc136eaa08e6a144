"""Optimizers over the pixels of one image.

Each takes the image, a `tf.Variable`, and its objective function. `start()`
evaluates the current image and `update_step()` changes it once; both return the
losses of the resulting image. `state()` and `restore()` continue in another
process, where `start()` is called first.
"""
