"""RAG generation beside Transformers: the same weights and inputs in one run, alternating, outputs compared before any time is told.

    python bench/generation.py [--device cuda|cpu] [--dtype bfloat16|float32] [--rows NAME ...] [--repeat 5] [--out FILE.json]
                               [--size large|base|tiny] [--context 300] [--new 32] [--list]

Weights are random, so nothing is downloaded; a minimal length keeps every answer at --new tokens. A row's time is the median
of --repeat calls of each side, taken in turn after one call each to warm up. `a step` is what one more token costs: the
call with all tokens less the call with two, over their difference. `floor` is the least time for a step's bytes (weights of
the decoder and vocabulary, the documents' keys and values once) at the copy bandwidth measured here, or for its arithmetic
at the rate of a large matrix product, whichever is more. Memory is the most that PyTorch had allocated during a call, less
the weights.

In float32 both sides have to write the same tokens (a difference is an error, with --force a remark). In bfloat16, where
Transformers also keeps document posteriors in bfloat16, the share of equal answers is told beside the time, and a
float32 comparison of a shorter call comes first.
"""
import argparse, copy, gc, json, platform, statistics, sys, time
from pathlib import Path

import torch, transformers
from transformers import BartConfig, BartForConditionalGeneration, DPRConfig, DPRQuestionEncoder, DynamicCache, LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from rag_nb import engine, RagSequenceForGeneration, RagTokenForGeneration

SIZES = dict(large=dict(), base=dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12, decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072),
             tiny=dict(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4, encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=1000))
LLAMA = dict(large=dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3, vocab_size=49152),
             tiny=dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, vocab_size=1000))
ROWS = {"token B=1 M=4": ("token", 1, 4), "token B=8 M=1": ("token", 8, 1), "token B=8 M=4": ("token", 8, 4), "token B=32 M=4": ("token", 32, 4),
        "sequence B=8 M=4": ("sequence", 8, 4), "decoder-only B=1 greedy": ("causal", 1, 1)}
CPU_ROWS = {"token B=1 M=4": ("token", 1, 4), "sequence B=4 M=4": ("sequence", 4, 4), "decoder-only B=1 greedy": ("causal", 1, 1)}
PAD, BOS, EOS = 1, 0, 2


def wait(device):
    if device == "cuda": torch.cuda.synchronize()


def timed(call, device):
    wait(device); start = time.perf_counter()
    out = call()
    wait(device)
    return out, time.perf_counter() - start


def machine(device, dtype):
    "Bytes a second of a large copy, and operations a second of a large matrix product."
    n = 2**30 if device == "cuda" else 2**27
    a, b = torch.empty(n, dtype=torch.uint8, device=device).random_(), torch.empty(n, dtype=torch.uint8, device=device)
    copies = [timed(lambda: b.copy_(a), device)[1] for _ in range(8)][2:]
    m = 8192 if device == "cuda" else 1536
    x, y = (torch.randn(m, m, device=device, dtype=dtype) for _ in range(2))
    products = [timed(lambda: x @ y, device)[1] for _ in range(8)][2:]
    return 2*n / statistics.median(copies), 2*m**3 / statistics.median(products)


def models(kind, size, device, dtype, K):
    "The same weights on both sides: Transformers' model, ours, the generator."
    torch.manual_seed(0)
    if kind == "causal":
        generator = LlamaForCausalLM(LlamaConfig(**LLAMA["tiny" if size == "tiny" else "large"], tie_word_embeddings=True, initializer_range=.06, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, max_position_embeddings=4096))
    else:
        generator = BartForConditionalGeneration(BartConfig(**SIZES[size], init_std=.06, forced_eos_token_id=None, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS))
    encoder = DPRQuestionEncoder(DPRConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=100))
    generator, encoder = generator.to(device, dtype).eval(), encoder.to(device, dtype).eval()
    name = "RagSequenceForGeneration" if kind == "sequence" else "RagTokenForGeneration"
    ours = dict(RagSequenceForGeneration=RagSequenceForGeneration, RagTokenForGeneration=RagTokenForGeneration)[name]
    ours = ours(question_encoder=encoder, generator=generator, n_docs=K).eval()
    if kind == "causal": return None, ours, generator
    config = transformers.RagConfig.from_question_encoder_generator_configs(encoder.config, generator.config, n_docs=K, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS)
    return getattr(transformers, name)(config, question_encoder=encoder, generator=generator).eval(), ours, generator


def five_rows(generator, ids, mask, prior, new):
    "What one writes with Transformers alone for a decoder-only generator: a row a document, marginalised in Python, greedy."
    B, K = prior.shape
    cache, said, feed = DynamicCache(), [], ids
    for step in range(new):
        logits = generator(input_ids=feed, attention_mask=mask, past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
        p = (logits.float().log_softmax(-1).view(B, K, -1) + prior[..., None]).logsumexp(1)           # (B, V)
        p[:, EOS] = -torch.inf
        token = p.argmax(-1)
        said.append(token)
        feed = token.repeat_interleave(K)[:, None]
        mask = torch.cat([mask, mask.new_ones(B*K, 1)], 1)
    return torch.stack(said, 1)


def calls(kind, B, M, theirs, ours, generator, x, new):
    "The two calls that are compared, each returning tokens without the start token."
    beams = dict(num_beams=M, min_length=new + 1, early_stopping=False, length_penalty=1.0, do_sample=False)
    plain = lambda s: s[:, 1:]
    if kind == "causal":
        prior = x["doc_scores"].float().log_softmax(-1)
        return (lambda: five_rows(generator, x["context_input_ids"], x["context_attention_mask"], prior, new),
                lambda: plain(ours.generate(**x, max_new_tokens=new, min_new_tokens=new, eos_token_id=EOS, pad_token_id=PAD)))
    if kind == "token":
        settings = transformers.GenerationConfig(max_length=new + 1, eos_token_id=EOS, pad_token_id=PAD, bos_token_id=BOS, decoder_start_token_id=EOS, **beams)
        return (lambda: plain(theirs.generate(**x, generation_config=copy.deepcopy(settings), n_docs=x["doc_scores"].shape[1])),
                lambda: plain(ours.generate(**x, max_new_tokens=new, **beams)))
    return (lambda: plain(theirs.generate(**x, num_return_sequences=1, max_new_tokens=new, **beams)),
            lambda: plain(ours.generate(**x, max_new_tokens=new, **beams)))


def inputs(kind, B, K, S, V, device):
    g = torch.Generator().manual_seed(1)
    ids = torch.randint(5, V - 5, (B*K, S), generator=g)
    return dict(context_input_ids=ids.to(device), context_attention_mask=torch.ones_like(ids).to(device), doc_scores=torch.randn(B, K, generator=g).to(device))


def floor(kind, generator, B, K, M, S, bandwidth, rate):
    "Seconds a step: bytes that must be read, or arithmetic that must be done."
    cfg, size = generator.config, next(generator.parameters()).element_size()
    if kind == "causal":
        weights = sum(p.numel() for p in generator.parameters())
        state = 2 * cfg.num_hidden_layers * cfg.num_key_value_heads * (cfg.hidden_size // cfg.num_attention_heads)
    else:
        weights = cfg.decoder_layers*(6*cfg.d_model**2 + 2*cfg.d_model*cfg.decoder_ffn_dim) + cfg.vocab_size*cfg.d_model
        state = 2 * cfg.decoder_layers * cfg.d_model
    return max((weights + B*K*S*state)*size / bandwidth, 2*weights*B*K*M / rate)


def agreement(a, b):
    n = min(a.shape[1], b.shape[1])
    return float((a[:, :n].cpu() == b[:, :n].cpu()).all(1).float().mean())


def peak(call, device):
    "Gigabytes beyond what was there before the call."
    if device != "cuda": return None
    engine._KITS.clear(); gc.collect(); torch.cuda.empty_cache()                                     # buffers that were kept count as well
    torch.cuda.synchronize(); torch.cuda.reset_peak_memory_stats(); before = torch.cuda.memory_allocated()
    call(); torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**30


def row(name, kind, B, M, a, bandwidth, rate):
    K, S = a.docs, a.context if kind != "causal" else a.causal_context
    dtype = getattr(torch, a.dtype)
    theirs, ours, generator = models(kind, a.size, a.device, dtype, K)
    x = inputs(kind, B, K, S, generator.config.vocab_size, a.device)
    equal32 = None
    if dtype != torch.float32 and B <= 8:
        t32, o32, g32 = models(kind, a.size, a.device, torch.float32, K)
        p, q = calls(kind, B, M, t32, o32, g32, x, 8)
        equal32 = agreement(p(), q())
        del t32, o32, g32, p, q
    long, short = calls(kind, B, M, theirs, ours, generator, x, a.new), calls(kind, B, M, theirs, ours, generator, x, 2)
    slow, fast = long[0](), long[1]()
    equal = agreement(slow, fast)
    if dtype == torch.float32 and equal < 1 and not a.force: raise SystemExit(f"{name}: the two sides differ in {1-equal:.0%} of the answers")
    times = {k: [] for k in ("theirs", "ours", "theirs2", "ours2")}
    if a.repeat > 1: short[0](), short[1]()
    for _ in range(a.repeat):
        for side, call in zip(times, (*long, *short)): times[side].append(timed(call, a.device)[1])
    mid = {k: statistics.median(v) for k, v in times.items()}
    step = [(mid[k] - mid[k + "2"]) / (a.new - 2) for k in ("theirs", "ours")]
    return dict(row=name, theirs_ms=1e3*mid["theirs"], ours_ms=1e3*mid["ours"], ratio=mid["theirs"]/mid["ours"], theirs_per_token_ms=1e3*mid["theirs"]/a.new, ours_per_token_ms=1e3*mid["ours"]/a.new,
                theirs_step_ms=1e3*step[0], ours_step_ms=1e3*step[1], step_ratio=step[0]/step[1] if kind != "sequence" else None,
                floor_ms=1e3*floor(kind, generator, B, K, M, S, bandwidth, rate) if kind != "sequence" else None,
                equal=equal, equal_float32=equal32, theirs_peak_gib=peak(long[0], a.device), ours_peak_gib=peak(long[1], a.device), all_seconds=times)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--dtype", help="bfloat16 on a GPU, float32 on the CPU where not said")
    p.add_argument("--rows", nargs="*"); p.add_argument("--list", action="store_true"); p.add_argument("--force", action="store_true")
    p.add_argument("--repeat", type=int, default=5); p.add_argument("--new", type=int, default=32)
    p.add_argument("--size", choices=SIZES, default=None); p.add_argument("--docs", type=int, default=5)
    p.add_argument("--context", type=int, default=300); p.add_argument("--causal-context", type=int, default=200); p.add_argument("--out")
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.dtype, a.size, rows = a.dtype or ("bfloat16" if cuda else "float32"), a.size or ("large" if cuda else "base"), ROWS if cuda else CPU_ROWS
    if a.list: return print("\n".join(rows))
    transformers.logging.set_verbosity_error()
    dtype = getattr(torch, a.dtype)
    bandwidth, rate = machine(a.device, dtype)
    facts = dict(device=torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(), threads=torch.get_num_threads(), torch=torch.__version__,
                 transformers=transformers.__version__, dtype=a.dtype, size=a.size, copy_gb_s=bandwidth/1e9, matmul_tflop_s=rate/1e12, docs=a.docs, context=a.context, new=a.new)
    print(json.dumps(facts), flush=True)
    print("| row | Transformers ms | rag_nb ms | ratio | a step: Transformers ms | rag_nb ms | ratio | floor ms | equal answers (float32) | peak GiB: Transformers, rag_nb |\n|---|---|---|---|---|---|---|---|---|---|", flush=True)
    done, show = [], lambda v, f=".2f": "–" if v is None else format(v, f)
    for name in a.rows or rows:
        with torch.no_grad(): r = row(name, *rows[name], a, bandwidth, rate)
        done.append(r)
        print(f"| {name} | {r['theirs_ms']:.1f} | {r['ours_ms']:.1f} | {r['ratio']:.1f} | {r['theirs_step_ms']:.2f} | {r['ours_step_ms']:.2f} | {show(r['step_ratio'], '.1f')} | {show(r['floor_ms'])} | "
              f"{r['equal']:.0%} ({show(r['equal_float32'], '.0%')}) | {show(r['theirs_peak_gib'])}, {show(r['ours_peak_gib'])} |", flush=True)
        if a.out: Path(a.out).write_text(json.dumps(dict(facts, rows=done), indent=1), encoding="utf8")
        if cuda: torch.cuda.empty_cache()


if __name__ == "__main__": main()
