#!/bin/sh
# The training step on a GPU: both stages, the paper's batch and a larger one. Needs the extras
# `gpu` and `bench`. Prints the page that docs/benchmarks/speed.md would hold; nothing is written.
set -eu
cd "$(dirname "$0")/../.."
nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader
export TF_FORCE_GPU_ALLOW_GROWTH=true
for stage in joint pretrain; do
    "${PYTHON:-python}" -m benchmarks.training.step --stage "$stage" --batch 16,64 --runs 50 "$@"
done
