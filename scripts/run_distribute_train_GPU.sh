#!/usr/bin/env bash
# Trains on several GPUs of this machine: bash scripts/run_distribute_train_GPU.sh DEVICE_NUM [CUDA_VISIBLE_DEVICES]
set -euo pipefail
# shellcheck source=scripts/zoo.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/zoo.sh"

[[ ${1-} =~ ^[1-9][0-9]*$ ]] || usage "DEVICE_NUM [CUDA_VISIBLE_DEVICES]   (as in 8 0,1,2,3,4,5,6,7)"
ranks=$1
shift
((ranks > 1)) || die "one device needs no ranks; use scripts/run_train_standalone_GPU.sh"
if [[ -n ${1-} && $1 != --* ]]; then
    IFS=, read -ra devices <<< "$1"
    ((${#devices[@]} == ranks)) || die "CUDA_VISIBLE_DEVICES $1 names ${#devices[@]} devices, DEVICE_NUM is $ranks"
    export CUDA_VISIBLE_DEVICES=$1
    shift
fi
folder=$scripts/GPU_distributed
mkdir -p -- "$folder"
ln -sfn worker_0.log "$folder/output.log"
train_distributed GPU "$ranks" "$folder" "$folder" "$@"
echo "${0##*/}: rank 0's log is $folder/output.log; its checkpoints are beside it"
