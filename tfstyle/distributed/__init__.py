"""Distribution of one picture over several devices and processes.

Cluster discovery, `tf.distribute` strategies, and the objective function
evaluated by all replicas together.
"""
