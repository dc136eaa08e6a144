#!/usr/bin/env bash
# One picture over several GPUs, of one node or more, by Slurm:
#
#   sbatch --nodes=2 tools/cluster/slurm.sh \
#       --flagfile=configs/photo.cfg --image_size=4096 --workdir=runs/large
#
# Each task takes one GPU and one part of the picture. With --manifest each
# task takes pictures of its own instead. Activate the virtual environment
# before sbatch: it is passed on. Name a --workdir, so that a job that is
# requeued goes on where it was.
#
#SBATCH --job-name=tfstyle
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=4
#SBATCH --time=02:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

# The first task that fails ends the others; ranks go node by node.
exec srun --kill-on-bad-exit=1 --distribution=block --label \
    python -m tfstyle.main "$@"
