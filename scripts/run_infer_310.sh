#!/usr/bin/env bash
# LFW accuracy of an exported model in C++ on an Ascend 310; its last line is LFWACC=… std=… thd=…
# bash scripts/run_infer_310.sh MINDIR_PATH DATASET_NAME DATASET_PATH NEED_PREPROCESS [DEVICE_ID] [--KEY=VALUE …]
#
# MINDIR_PATH is what `sphereface export --format lite` writes. DATASET_PATH holds pairs.txt, lfw_landmark.txt (or
# landmark.txt) and the folder images (or lfw). NEED_PREPROCESS is y: align the faces and keep them as preprocess_result/
# 00_data; or n: take those of an earlier call, or DATASET_PATH itself where it holds 00_data.
set -euo pipefail
# shellcheck source=scripts/zoo.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/zoo.sh"

first_of() {
    local name
    for name in "$@"; do
        if [[ -e $name ]]; then
            printf '%s\n' "$name"
            return
        fi
    done
    die "$dataset: holds none of ${*##*/}"
}

if [[ $# -lt 4 || ! $4 =~ ^[yYnN]$ ]]; then
    usage "MINDIR_PATH DATASET_NAME DATASET_PATH NEED_PREPROCESS(y|n) [DEVICE_ID]"
fi
model=$1 name=$2 dataset=$3 preprocess=${4,}
shift 4
device_id=0
if [[ -n ${1-} && $1 != --* ]]; then
    [[ $1 =~ ^[0-9]+$ ]] || die "DEVICE_ID must be a number, not '$1'"
    device_id=$1
    shift
fi
[[ -f $model ]] || die "$model: no such model; write one with sphereface export --format lite"
[[ -d $dataset ]] || die "$dataset: no such folder"

case ${SPHEREFACE_DEVICE_TARGET:-Ascend} in
    CPU) device=cpu ;;
    Ascend) device=ascend310 ;;
    *) device=${SPHEREFACE_DEVICE_TARGET,,} ;;
esac
programs=${SPHEREFACE_LITE:-$root/build/infer310/release}
if [[ ! -x $programs/sphereface_infer310 ]]; then
    [[ -z ${SPHEREFACE_LITE-} && -d $root/ascend310_infer ]] ||
        die "$programs: no programs there; build them with make infer310 and set SPHEREFACE_LITE to their folder"
    echo "${0##*/}: building the programs (make infer310)" >&2
    make --no-print-directory -C "$root" infer310 >&2
fi

folder=$scripts/infer310
faces=$folder/preprocess_result/00_data
mkdir -p -- "$folder"
if [[ $preprocess == y ]]; then
    images=$(first_of "$dataset/images" "$dataset/lfw")
    landmarks=$(first_of "$dataset/lfw_landmark.txt" "$dataset/landmark.txt")
    pairs=$(first_of "$dataset/pairs.txt")
    "$programs/sphereface_preprocess310" "--image_path=$images" "--landmarks=$landmarks" "--pairs=$pairs" \
        "--output=$folder/preprocess_result" > /dev/null
elif [[ -d $dataset/00_data ]]; then
    faces=$dataset/00_data
elif [[ ! -d $faces ]]; then
    die "$faces: not there; call once with NEED_PREPROCESS y"
fi
exec "$programs/sphereface_infer310" "--mindir_path=$model" "--dataset_name=$name" "--input0_path=$faces" \
    "--device=$device" "--device_id=$device_id" "--output=$folder" "$@"
