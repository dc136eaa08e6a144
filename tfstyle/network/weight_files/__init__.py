"""Files of VGG19's weights: reading, finding the network, writing.

Uses NumPy and h5py, and SciPy for one format, but neither TensorFlow nor torch.
No code in a file is executed.
"""
