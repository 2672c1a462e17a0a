#!/usr/bin/env bash
# Trains on the Ascend devices of this machine: bash scripts/run_distribute_train.sh [RANK_TABLE_FILE]
# Without a rank table, here or in the environment: on all 8, which find one another by msrun.
set -euo pipefail
# shellcheck source=scripts/zoo.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/zoo.sh"

ranks=8
table=${RANK_TABLE_FILE-}
if [[ -n ${1-} && $1 != --* ]]; then
    table=$1
    shift
fi
if [[ -n $table ]]; then
    [[ -f $table ]] || usage "[RANK_TABLE_FILE]   ($table: no such file)"
    ranks=$(python - "$table" 2> /dev/null << 'PYTHON'
import json, sys
[server] = json.load(open(sys.argv[1]))["server_list"]
ids = [int(device["device_id"]) for device in server["device"]]
assert ids == list(range(len(ids))) and len(ids) > 1
print(len(ids))
PYTHON
    ) || die "$table: not a rank table of one server with devices 0, 1, …; for others see launcher submit"
    RANK_TABLE_FILE=$(realpath -- "$table")
    export RANK_TABLE_FILE
fi
logs=$scripts/distribute
for ((rank = 0; rank < ranks; rank++)); do
    mkdir -p -- "$scripts/device$rank"
    ln -sfn "../distribute/worker_$rank.log" "$scripts/device$rank/output.log"
done
train_distributed Ascend "$ranks" "$scripts/device0" "$logs" "$@"
echo "${0##*/}: the ranks' logs are $scripts/device[0-$((ranks - 1))]/output.log, the checkpoints in $scripts/device0"
