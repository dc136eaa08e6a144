#!/usr/bin/env bash
# One picture over several GPUs, of one node or more, by Slurm:
#
#   sbatch --nodes=2 tools/cluster/slurm.sh \
#       --preset=photo --content_image=content.jpg --style_images=style.jpg \
#       --image_size=4096 --workdir=runs/large
#
# Each task takes one GPU and one part of the picture. With --manifest each
# task takes pictures of its own instead, and so does each task of a job array
# (sbatch --array=0-9); a picture that fails ends no other. Activate the virtual
# environment before sbatch: it is passed on. Name a --workdir, so that a job
# that is requeued goes on where it was.
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

# Of one picture the first task that fails ends the others; ranks go node by
# node. srun does not take the number of cores from sbatch by itself.
kill=1
for argument in "$@"; do
    [[ $argument == --manifest* ]] && kill=0
done
exec srun --kill-on-bad-exit="$kill" --distribution=block --label \
    --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" \
    python -m tfstyle.main "$@"
