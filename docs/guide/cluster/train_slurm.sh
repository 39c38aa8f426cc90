#!/bin/bash
# One training on several nodes: sbatch train_slurm.sh, in a folder that all nodes share. Not run here.
#SBATCH --job-name=fesr-train
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
# SIGTERM reaches the tasks 120 s before the end: they finish a step and save.

port=$((20000 + SLURM_JOB_ID % 10000))
hosts=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | sed "s/.*/\"&:$port\"/" | paste -sd,)
export hosts

# A killed task ends the others; then all start again, at most 20 times.
for attempt in $(seq 20); do
    srun --kill-on-bad-exit=1 bash -c '
        export TF_CONFIG="{\"cluster\": {\"worker\": [$hosts]},
            \"task\": {\"type\": \"worker\", \"index\": $SLURM_PROCID}}"
        exec python -m fesr_tf.train --db ckplus --data data/ckplus --runs runs strategy=multi_worker
    '
    code=$?
    # 0: complete. 2: a request that cannot be carried out. 130: stopped by a signal and saved.
    case $code in 0 | 2 | 130) exit $code ;; esac
    echo "attempt $attempt ended with $code; all workers start again" >&2
done
exit 1
