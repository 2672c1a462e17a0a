# What the scripts of this folder share; they source it. The model zoo's names and arguments, on the packages of this
# repository. Logs and checkpoints lie beside this file, whatever folder the caller is in; paths that a configuration
# gives count from the caller's folder. Whatever follows the published arguments (--KEY=VALUE) goes to the program.
# shellcheck shell=bash

scripts=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname -- "$scripts")
if [[ -x $root/.venv/bin/python ]]; then
    PATH=$root/.venv/bin:$PATH
fi
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

usage() {
    echo "Usage: bash scripts/${0##*/} $1" >&2
    exit 2
}

die() {
    echo "${0##*/}: error: $1" >&2
    exit 2
}

# background LOG COMMAND…
background() {
    local log=$1
    shift
    mkdir -p -- "$(dirname -- "$log")"
    nohup "$@" > "$log" 2>&1 < /dev/null &
    echo "${0##*/}: process $! goes on in the background; its log is $log"
}

# train_standalone TARGET DEVICE_ID [PRE_TRAINED] [--KEY=VALUE …]
train_standalone() {
    local target=$1 folder=$scripts/train_$1
    [[ ${2-} =~ ^[0-9]+$ ]] || usage "DEVICE_ID [PRE_TRAINED]"
    local options=(--is_distributed=0 "--device_target=$target" "--device_id=$2" "--output=$folder")
    shift 2
    if [[ -n ${1-} && $1 != --* ]]; then
        [[ -e $1 ]] || die "$1: no such checkpoint"
        options+=("--train_pretrained=$1")
        shift
    fi
    background "$folder/train.log" python "$root/train.py" "${options[@]}" "$@"
}

# evaluate_standalone TARGET DEVICE_ID CKPT_FILES [--KEY=VALUE …]
evaluate_standalone() {
    local target=$1 folder=$scripts/eval_$1
    [[ ${2-} =~ ^[0-9]+$ && -n ${3-} ]] || usage "DEVICE_ID CKPT_FILES"
    [[ -e $3 ]] || die "$3: no such checkpoint, or folder of checkpoints"
    background "$folder/eval.log" python "$root/eval.py" --is_distributed=0 "--device_target=$target" \
        "--device_id=$2" "--ckpt_files=$3" "--output=$folder" "${@:4}"
}

# train_distributed TARGET RANKS FOLDER LOGS [--KEY=VALUE …]: each rank's log is LOGS/worker_RANK.log
train_distributed() {
    local target=$1 ranks=$2 folder=$3 logs=$4
    local options=(--is_distributed=1 "--device_target=$target" "--output=$folder")
    if [[ ! -e $root/sphereface_config.yaml ]]; then
        options+=("--per_batch_size=$((256 / ranks))")  # the published run's global batch, shared out
    fi
    background "$logs/msrun.log" python "$scripts/start_ranks.py" "$ranks" "$logs" \
        "$root/train.py" "${options[@]}" "${@:5}"
}
