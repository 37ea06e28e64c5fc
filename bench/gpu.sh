#!/bin/bash
# The engine on a GPU, within eight minutes: bash bench/gpu.sh FOLDER
# Writes FOLDER/generation.txt and .json (the table beside Transformers) and FOLDER/tests.txt (engine and loop, a few hundred cases).
out=${1:?say where the results go}
mkdir -p "$out"
cd "$(dirname "$0")/.." || exit 1
export PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false
timeout 60 python3 -m pytest -q -x -p no:cacheprovider tests/gpu/test_cuda_engine.py -k "kernels or streaming" >"$out/first.txt" 2>&1; tail -25 "$out/first.txt"
timeout 190 python3 bench/generation.py --device cuda --out "$out/generation.json" >"$out/generation.txt" 2>&1; tail -30 "$out/generation.txt"
timeout 220 python3 -m pytest -q -p no:cacheprovider --maxfail=8 --tb=short tests/gpu/test_cuda_engine.py >"$out/tests.txt" 2>&1; tail -60 "$out/tests.txt" | cut -c1-200
