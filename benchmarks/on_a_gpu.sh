#!/usr/bin/env bash
# What only a GPU can show, the most important first: about twelve minutes of an H100 or H200.
#   bash benchmarks/on_a_gpu.sh FOLDER [PYTHON]
# Tables and logs are written to FOLDER; what fails is said at the end, and the rest goes on.
set -uo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "${1:?folder for the results}" && cd "$1" && pwd)
python=${2:-python}
failed=()

run() {  # NAME COMMAND...: its output in NAME.log
    echo "== $1, $(date +%T)"
    "${@:2}" > "$out/$1.log" 2>&1 || failed+=("$1")
    tail -n 3 "$out/$1.log"
}

run tests "$python" -m pytest -m gpu -rs
run ffhq256 "$python" -m benchmarks.throughput --networks ffhq256 --batch 8 1 32 --out "$out/ffhq256.md"
run outside "$python" -m benchmarks.scaling --model ffhq256 --engine Fused --accelerator gpu --processes 1 \
    --images 64 --steps 20 --batch_size 8 --rounds 1 --out "$out/outside.md"
run portraits "$python" -m benchmarks.throughput --networks portraits --batch 16 --out "$out/portraits.md"
run engines "$python" train_free_eval.py compare --config configs/comparison/engines.yaml --out_dir "$out/engines"
run imagenet256 "$python" -m benchmarks.throughput --networks imagenet256 --batch 8 1 --rounds 3 --out "$out/imagenet256.md"
run compiled "$python" -m benchmarks.throughput --networks ffhq256 --batch 8 --ways compiled --rounds 3 --out "$out/compiled.md"

[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}"; exit 1; }
