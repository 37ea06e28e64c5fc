#!/usr/bin/env bash
# Guess: `encode_document` of Sentence Transformers takes the first prompt there is of "document", "passage", "corpus" (its docstring), so a
# folder with E5's words, {"query": "query: ", "passage": "passage: "}, gets "passage: " before its documents.
# What happens: the model always has an entry "document", made empty when the folder names none; it comes first, so no prefix is added.
# Why it matters: queries have their prefix and documents none; retrieval gets worse without a message.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 HF_HOME="$dir/hf"
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0 sentence-transformers==6.2.0
DIR="$dir" "$dir/venv/bin/python" -W ignore - <<'PY'
import json, os
from importlib.metadata import version
from pathlib import Path
import numpy as np, torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer
from transformers import BertConfig, BertModel, BertTokenizer
print(*(f"{name} {version(name)}" for name in ("torch", "transformers", "sentence-transformers")))
torch.manual_seed(0)
bert, folder = Path(os.environ["DIR"], "bert"), Path(os.environ["DIR"], "model")
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", "passage", ":", "rain", "snow"]
BertTokenizer(vocab={word: i for i, word in enumerate(words)}).save_pretrained(bert)
BertModel(BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)).save_pretrained(bert)
SentenceTransformer(modules=[Transformer(str(bert)), Pooling(16)], device="cpu").save(str(folder))
path = folder / "config_sentence_transformers.json"
path.write_text(json.dumps({**json.loads(path.read_text()), "prompts": {"query": "query: ", "passage": "passage: "}}))
model = SentenceTransformer(str(folder), device="cpu")
print("prompts:", model.prompts)
near = lambda a, b: bool(np.allclose(a, b, atol=1e-5))
seen = {"query takes 'query: '": near(model.encode_query(["rain snow"]), model.encode(["query: rain snow"])),
        "document takes 'passage: '": near(model.encode_document(["rain snow"]), model.encode(["passage: rain snow"])),
        "document takes nothing": near(model.encode_document(["rain snow"]), model.encode(["rain snow"]))}
print(seen)
assert list(seen.values()) == [True, False, True], seen
PY
