"""The time to the first token where all passages are known, beside the same build that reads them: random weights of a size, by turns.

    python bench/passage_cache.py [--device cuda|cpu] [--rows llama1b ...] [--repeat 5]

Each call has the same B·K contexts of S tokens but for their last 20, the question. Tokens of both sides have to be the same in
float32; in bfloat16 ties may fall otherwise, and the row tells the share that is equal.
"""
import statistics
from contextlib import contextmanager, nullcontext

from common import Report, arguments, machine, timed
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM
from rag_nb import RagTokenForGeneration
from rag_nb.core.toy import toy_encoder
from rag_nb.fast.decoder import DecoderState

MORE = dict(max_position_embeddings=4096, pad_token_id=0, bos_token_id=1, eos_token_id=2)
SIZES = dict(
    smollm135m=(LlamaForCausalLM, LlamaConfig, dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
        num_key_value_heads=3, vocab_size=49152, tie_word_embeddings=True)),
    llama1b=(LlamaForCausalLM, LlamaConfig, dict(hidden_size=2048, intermediate_size=8192, num_hidden_layers=16, num_attention_heads=32,
        num_key_value_heads=8, head_dim=64, vocab_size=128256, tie_word_embeddings=True)),
    qwen8b=(Qwen3ForCausalLM, Qwen3Config, dict(hidden_size=4096, intermediate_size=12288, num_hidden_layers=36, num_attention_heads=32,
        num_key_value_heads=8, head_dim=128, vocab_size=151936)))
ROWS = {"SmolLM2-135M size, B1 5x230": ("smollm135m", 1, 5, 230), "Llama-1B size, B1 10x1000": ("llama1b", 1, 10, 1000),
        "Qwen3-8B size, B1 10x1000": ("qwen8b", 1, 10, 1000), "Qwen3-8B size, B8 10x512": ("qwen8b", 8, 10, 512)}
COLUMNS = [("row", "row", ""), ("read ms", "read_ms", ".1f"), ("known ms", "known_ms", ".1f"), ("ratio", "ratio", ".2f"),
           ("processor ms: read", "read_cpu_ms", ".0f"), ("known", "known_cpu_ms", ".0f"), ("tokens reused", "reused", ".0f"),
           ("same first tokens", "equal", ".0%")]


@torch.no_grad()
def row(size, B, K, S, a):
    cls, config, sizes = SIZES[size]
    torch.manual_seed(0)
    dtype = getattr(torch, a.dtype or ("bfloat16" if a.device == "cuda" else "float32"))
    with torch.device(a.device): g = cls(config(**sizes, **MORE)).to(dtype).eval()
    encoder = toy_encoder().model.to(a.device)
    model = RagTokenForGeneration(question_encoder=encoder, generator=g, n_docs=K, passage_cache_bytes=40*2**30).eval()
    passages, took, equal = torch.randint(3, 1000, (B*K, S)), dict(read=[], known=[]), []
    for turn in range(a.repeat + 2):                                           # two that are not counted: to read, and to warm up
        x = passages.clone()
        x[:, -20:] = torch.randint(3, 1000, (B*K, 20))
        out = {}
        for side, way in (("read", without_cache), ("known", nullcontext)):
            with way(): out[side], *seconds = timed(lambda: first_token(model, x.to(a.device), B, K), a.device)
            if turn >= 2: took[side].append(seconds)
        if turn >= 2: equal.append(float((out["read"].sequences == out["known"].sequences).all(1).float().mean()))
    assert not out["read"].reused_tokens.any()
    ms = {s: [1e3*statistics.median(t[i] for t in ts) for i in (0, 1)] for s, ts in took.items()}
    return dict(read_ms=ms["read"][0], known_ms=ms["known"][0], ratio=ms["read"][0]/ms["known"][0], read_cpu_ms=ms["read"][1],
        known_cpu_ms=ms["known"][1], reused=int(out["known"].reused_tokens.sum()), equal=statistics.mean(equal))


def first_token(model, x, B, K):
    return model.generate(context_input_ids=x, context_attention_mask=torch.ones_like(x), doc_scores=torch.zeros(B, K, device=x.device),
        max_new_tokens=1, return_dict_in_generate=True)


@contextmanager
def without_cache():
    "The same build without a passage cache, whose contents stay for the other side."
    real, DecoderState.passages = DecoderState.passages, lambda self, max_bytes=None: None
    try: yield
    finally: DecoderState.passages = real


def main():
    a = arguments(__doc__).parse_args()
    if a.list: return print("\n".join(ROWS))
    report = Report(COLUMNS, machine(a.device, torch.bfloat16 if a.device == "cuda" else torch.float32), a.out, benchmark="passage_cache")
    for name in a.rows or ROWS: report.add(name, lambda: row(*ROWS[name], a))


if __name__ == "__main__": main()
