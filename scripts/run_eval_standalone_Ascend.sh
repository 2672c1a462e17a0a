#!/usr/bin/env bash
# Judges a checkpoint on one Ascend device: bash scripts/run_eval_standalone_Ascend.sh DEVICE_ID CKPT_FILES
set -euo pipefail
# shellcheck source=scripts/zoo.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/zoo.sh"
evaluate_standalone Ascend "$@"
