#!/usr/bin/env bash
# Trains on one GPU device: bash scripts/run_train_standalone_GPU.sh DEVICE_ID [PRE_TRAINED]
set -euo pipefail
# shellcheck source=scripts/zoo.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/zoo.sh"
train_standalone GPU "$@"
