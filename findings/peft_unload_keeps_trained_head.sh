#!/usr/bin/env bash
# Guess: PEFT's `unload()` takes every adapter away, so the model that comes back answers as the base model did before `get_peft_model`.
# What happens: modules named in `modules_to_save` come back as their trained copies: the head keeps what was trained, and the logits differ.
# A LoRA without `modules_to_save` does come back as it was.
# Why it matters: a baseline measured after `unload()` is no baseline: the generator keeps part of the training.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 HF_HOME="$dir/hf"
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0 peft==0.21.2
"$dir/venv/bin/python" -W ignore - <<'PY'
from importlib.metadata import version
import torch
from peft import LoraConfig, get_peft_model
from transformers import BartConfig, BartForConditionalGeneration
print(*(f"{name} {version(name)}" for name in ("torch", "transformers", "peft")))
torch.manual_seed(0)
ids, change = torch.arange(5, 15)[None], {}
config = BartConfig(vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                    encoder_ffn_dim=32, decoder_ffn_dim=32, max_position_embeddings=32, tie_word_embeddings=False)
for saved in (None, ["lm_head"]):
    base = BartForConditionalGeneration(config).eval()
    before = base(input_ids=ids, decoder_input_ids=ids).logits.detach()
    model = get_peft_model(base, LoraConfig(target_modules=["q_proj"], modules_to_save=saved)).train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    model(input_ids=ids, decoder_input_ids=ids, labels=ids).loss.backward()
    optimizer.step()
    after = model.unload().eval()(input_ids=ids, decoder_input_ids=ids).logits.detach()
    change[str(saved)] = (after - before).abs().max().item()
    print(f"modules_to_save={saved}: logits after unload() differ from the base model's by at most {change[str(saved)]:.4f}")
assert change["None"] < 1e-5 and change["['lm_head']"] > 0.01, change
PY
