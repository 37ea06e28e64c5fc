#!/bin/bash
# All benchmarks and GPU tests on one H200: bash bench/gpu.sh FOLDER [SECONDS]
# Leaves in FOLDER log.txt, a .json for each benchmark, tests.txt and RESULTS.md; a part that fails or takes too long is stopped, and the next one begins.
# PARTS="search training" runs only these. FLASH=flash_attn-2.8.3.tar.gz builds flash-attn into the folder /tmp/flash beside the parts after `generation`.
# A trial on the CPU: DEVICE=cpu SMALL="--repeat 1" SMALL_GENERATION="--size tiny --context 20 --new 4" ... bash bench/gpu.sh FOLDER
out=$(mkdir -p "${1:?say where the results go}" && cd "$1" && pwd)
all=${2:-800}
cd "$(dirname "$0")/.." || exit 1
export PYTHONUNBUFFERED=1 TOKENIZERS_PARALLELISM=false PYTHONPATH=$PYTHONPATH:/tmp/flash
py=${PYTHON:-python3} device=${DEVICE:-cuda}
part() {  # name, file, seconds at most, command: its output goes into the file; never longer than there is time
    local name=$1 file=$out/$2 most=$3 left=$((all - SECONDS)) began=$SECONDS; shift 3
    [[ -n $PARTS && " $PARTS " != *" $name "* ]] && return
    (( left < 10 )) && { echo "== $name: no time left" | tee -a "$file"; return; }
    (( most > left )) && most=$left
    printf '== %s: %s\n' "$name" "$*" | tee -a "$file"
    timeout -k 5 "$most" "$@" > >(tee -a "$file" | tail -n 45 | cut -c1-260) 2>&1
    echo "== $name: exit $? after $((SECONDS - began)) s" | tee -a "$file"
}
rm -f "$out"/log.txt "$out"/tests.txt "$out"/*.json
part first log.txt 75 $py -m pytest -q -x -p no:cacheprovider --tb=short tests/gpu -k "kernels or promise"
part generation log.txt 150 $py bench/generation.py --device $device --seconds 120 --out "$out/generation.json" $SMALL $SMALL_GENERATION
if [[ -n $FLASH ]]; then setsid nohup nice -n 19 $py bench/build_flash_attn.py "$FLASH" --out /tmp/flash --jobs 12 > /tmp/flash.txt 2>&1 & fi
part search log.txt 120 $py bench/search.py --device $device --seconds 75 --tune --out "$out/search.json" $SMALL $SMALL_SEARCH
part training log.txt 75 $py bench/training.py --device $device --seconds 55 --out "$out/training.json" $SMALL $SMALL_TRAINING
part ask log.txt 60 $py bench/ask.py --device $device --model random --new 8 --dtype float32 --out "$out/ask.json" $SMALL $SMALL_ASK
part tests tests.txt 300 $py -m pytest -q -p no:cacheprovider --maxfail=12 --tb=short tests/gpu
part generators log.txt 120 $py bench/generators.py --device $device --out "$out/generators.json" $SMALL $SMALL_GENERATORS
$py bench/results.py "$out" && cp bench/RESULTS.md "$out/RESULTS.md"
exit 0
