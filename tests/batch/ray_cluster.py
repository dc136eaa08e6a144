"""A Ray cluster on this machine: a head without cores, two nodes with one each.

Prints its address. For every line that it reads, it kills a node and says so,
and adds another. Ends with its input.
"""

import sys

from ray.cluster_utils import Cluster


def main():
    head = {"num_cpus": 0, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        cluster.wait_for_nodes()
        print(cluster.address, flush=True)
        for _ in sys.stdin:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print("killed", flush=True)
            nodes.append(cluster.add_node(num_cpus=1))
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
