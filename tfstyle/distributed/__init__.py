"""One picture over several devices and processes.

How processes find each other, `tf.distribute` strategies, and the objective
function evaluated by all replicas together.
"""
