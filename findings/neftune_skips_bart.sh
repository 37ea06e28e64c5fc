#!/usr/bin/env bash
# Guess: NEFTune (noise on the embeddings while training) works for any Transformers model, since it is put on `get_input_embeddings()`.
# What happens: for BART it does nothing, without a word. The hook is on `model.shared`; `forward` calls `encoder.embed_tokens`, another
# module that only has the same weight. For GPT-2 the same call changes the training logits.
# Why it matters: a generator of RAG is often a BART; a run "with NEFTune" compared with one without compares two equal runs.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 HF_HOME="$dir/hf"
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0
"$dir/venv/bin/python" - <<'PY'
from importlib.metadata import version
import torch
from transformers import BartConfig, BartForConditionalGeneration, GPT2Config, GPT2LMHeadModel
from transformers.integrations.neftune import activate_neftune
print("torch", version("torch"), "transformers", version("transformers"))
torch.manual_seed(0)
bart = BartConfig(vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                  encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=32, dropout=0.0)
gpt2 = GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=32, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0,
                  bos_token_id=0, eos_token_id=1)
ids, change = torch.arange(5, 15)[None], {}
for name, model in {"BART": BartForConditionalGeneration(bart), "GPT-2": GPT2LMHeadModel(gpt2)}.items():
    model.train()
    plain, again = (model(input_ids=ids, labels=ids).logits for _ in range(2))
    assert torch.equal(plain, again), "without dropout training is deterministic"
    activate_neftune(model, 10.0)
    change[name] = (model(input_ids=ids, labels=ids).logits - plain).abs().max().item()
    print(f"{name}: noise changes the logits by at most {change[name]:.4f}")
assert change["BART"] == 0.0 and change["GPT-2"] > 0.01, change
PY
