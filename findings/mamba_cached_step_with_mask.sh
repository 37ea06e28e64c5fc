#!/usr/bin/env bash
# Guess: a Mamba of Transformers gives the same logits token by token, with its cache, as in one pass; an attention mask of ones, as long as
# the text so far, changes nothing, as with every model with attention.
# What happens: without a mask it is so. With the mask of ones the second and later cached steps are off by whole units.
# Why it matters: a loop written for any causal model hands the mask on, and the answers are wrong without a message.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 HF_HOME="$dir/hf"
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check torch==2.13.0 transformers==5.24.0
"$dir/venv/bin/python" -W ignore - <<'PY'
from importlib.metadata import version
import torch
from transformers import MambaConfig, MambaForCausalLM
print(*(f"{name} {version(name)}" for name in ("torch", "transformers")))
torch.manual_seed(0)
model = MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, state_size=8)).eval()
for p in model.parameters(): p.data.mul_(3 if p.ndim > 1 else 1)
ids = torch.randint(3, 50, (1, 9))

@torch.no_grad()
def by_steps(masked, first=5):
    "Logits behind the first five tokens and behind each of the others."
    ones = lambda n: {"attention_mask": torch.ones(1, n, dtype=torch.long)} if masked else {}
    out, said = model(ids[:, :first], use_cache=True, **ones(first)), []
    said.append(out.logits[:, -1])
    for t in range(first, ids.shape[1]):
        out = model(ids[:, t:t+1], use_cache=True, cache_params=out.cache_params, **ones(t + 1))
        said.append(out.logits[:, -1])
    return torch.stack(said, 1)

with torch.no_grad(): whole = model(ids, use_cache=False).logits[:, 4:]
off = {masked: [round(float(x), 4) for x in (by_steps(masked) - whole).abs().amax(-1)[0]] for masked in (False, True)}
print("largest difference at each place, without a mask:", off[False])
print("with a mask of ones:                            ", off[True])
assert max(off[False]) < 1e-3 and max(off[True][:2]) < 1e-3 and min(off[True][2:]) > .5, off
PY
