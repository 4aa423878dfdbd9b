#!/usr/bin/env bash
# What only a GPU can show, in parts, the most important first.
#   [PYTHON=python] [LIMIT=180] bash benchmarks/on_a_gpu.sh FOLDER [PART...]
# Parts: tests ffhq256 outside portraits imagenet256 engines compiled. Each has LIMIT seconds; what fails, or is not done by then, is
# said at the end. Tables (.md, .json) and logs are written to FOLDER, and all of them to FOLDER/all.tgz after each part.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:?folder for the results}" && cd "$1" && pwd)
shift
python=${PYTHON:-python}
failed=()

throughput() {  # NAME OPTIONS...
    "$python" -m benchmarks.throughput "${@:2}" --out "$out/$1.md"
}

part() {
    case $1 in
        tests) "$python" -m pytest tests/gpu -m gpu -rs ;;
        ffhq256) throughput ffhq256 --networks ffhq256 --batch 8 1 32 ;;
        outside) "$python" -m benchmarks.scaling --model ffhq256 --engine Fused --accelerator gpu --processes 1 \
            --images 64 --steps 20 --batch_size 8 --rounds 1 --out "$out/outside.md" ;;
        portraits) throughput portraits --networks portraits --batch 16 ;;
        imagenet256) throughput imagenet256 --networks imagenet256 --batch 8 1 --rounds 3 ;;
        engines) "$python" train_free_eval.py compare --config configs/comparison/engines.yaml --out_dir "$out/engines" ;;
        compiled) throughput compiled --networks ffhq256 --batch 8 --ways compiled --rounds 3 ;;
        *) echo "no part $1" ; return 1 ;;
    esac
}

[ $# != 0 ] || set -- tests ffhq256 outside portraits imagenet256 engines compiled
for name in "$@"; do
    echo "== $name, $(date +%T)"
    (part "$name" > "$out/$name.log" 2>&1) & work=$!
    (sleep "${LIMIT:-180}"; pkill -TERM -P $work; kill $work) > /dev/null 2>&1 & watch=$!
    wait $work || failed+=("$name")
    pkill -P $watch; kill $watch 2> /dev/null
    tail -n 12 "$out/$name.log"
    tar czf "$out/all.tgz" -C "$out" --exclude all.tgz --exclude samples --exclude measurements .
done
[ ${#failed[@]} = 0 ] || { echo "failed, or not done in time: ${failed[*]}"; exit 1; }
