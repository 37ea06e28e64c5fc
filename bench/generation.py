"""RAG generation beside Transformers: the same weights and inputs in one run, alternating, outputs compared before any time is told.

    python bench/generation.py [--device cuda|cpu] [--dtype bfloat16|float32] [--rows NAME ...] [--repeat 5] [--out FILE.json] [--seconds S]
                               [--size large|base|tiny] [--context 300] [--new 32] [--list]

Weights are random, so nothing is downloaded; a minimal length keeps every answer at --new tokens. `a step` is what one more
token costs: the call with all tokens less the call with two, over their difference. Its floor: weights of the decoder and
vocabulary, and the documents' keys and values, read once, or the step's arithmetic. A call's floor has the reading of the
documents besides (and for RAG-Sequence the scoring of the candidates). Memory is the most that PyTorch had allocated during a
call, less the weights. bench/common.py says how times are taken.

In float32 both sides have to write the same tokens (a difference is an error, with --force a remark). In bfloat16, where
Transformers also keeps document posteriors in bfloat16, the share of equal answers is told beside the time, and a
float32 comparison of a shorter call comes first.
"""
import copy, gc

from common import Report, alternate, arguments, machine, peak
import torch, transformers
from transformers import BartConfig, BartForConditionalGeneration, DPRConfig, DPRQuestionEncoder, DynamicCache, LlamaConfig, LlamaForCausalLM

from rag_nb import RagSequenceForGeneration, RagTokenForGeneration; from rag_nb.fast import decoder as engine
from rag_nb.fast.fused_loss import answer_logprobs
from rag_nb.core.marginal import sequence_marginal, token_marginal

SIZES = dict(large=dict(), base=dict(d_model=768, encoder_layers=6, decoder_layers=6, encoder_attention_heads=12,
    decoder_attention_heads=12, encoder_ffn_dim=3072, decoder_ffn_dim=3072),
             tiny=dict(d_model=64, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
             encoder_ffn_dim=128, decoder_ffn_dim=128, vocab_size=1000))
LLAMA = dict(large=dict(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
    vocab_size=49152),
             tiny=dict(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=1000))
ROWS = {"token B=1 M=4": ("token", 1, 4), "token B=8 M=1": ("token", 8, 1), "token B=8 M=4": ("token", 8, 4),
    "token B=32 M=4": ("token", 32, 4),
        "sequence B=8 M=4": ("sequence", 8, 4), "decoder-only B=1 greedy": ("causal", 1, 1)}
CPU_ROWS = {"token B=1 M=4": ("token", 1, 4), "sequence B=4 M=4": ("sequence", 4, 4), "sequence B=1 M=4": ("sequence", 1, 4),
    "decoder-only B=1 greedy": ("causal", 1, 1)}
PAD, BOS, EOS = 1, 0, 2


def models(kind, size, device, dtype, K):
    "The same weights on both sides: Transformers' model, ours, the generator."
    torch.manual_seed(0)
    # weights are drawn where they are used: a processor takes seconds for them
    with torch.device(device): generator, encoder = _parts(kind, size)
    generator, encoder = generator.to(device, dtype).eval(), encoder.to(device, dtype).eval()
    name = "RagSequenceForGeneration" if kind == "sequence" else "RagTokenForGeneration"
    ours = dict(RagSequenceForGeneration=RagSequenceForGeneration, RagTokenForGeneration=RagTokenForGeneration)[name]
    ours = ours(question_encoder=encoder, generator=generator, n_docs=K, passage_cache_bytes=0).eval()   # contexts are read at every call
    if kind == "causal": return None, ours, generator
    config = transformers.RagConfig.from_question_encoder_generator_configs(encoder.config, generator.config, n_docs=K, pad_token_id=PAD,
        bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS)
    return getattr(transformers, name)(config, question_encoder=encoder, generator=generator).eval(), ours, generator


def _parts(kind, size):
    if kind == "causal":
        generator = LlamaForCausalLM(LlamaConfig(**LLAMA["tiny" if size == "tiny" else "large"], tie_word_embeddings=True,
            initializer_range=.06, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, max_position_embeddings=4096))
    else:
        generator = BartForConditionalGeneration(BartConfig(**SIZES[size], init_std=.06, forced_eos_token_id=None, pad_token_id=PAD,
            bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS))
    encoder = DPRQuestionEncoder(DPRConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        vocab_size=100))
    return generator, encoder


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
        settings = transformers.GenerationConfig(max_length=new + 1, eos_token_id=EOS, pad_token_id=PAD, bos_token_id=BOS,
            decoder_start_token_id=EOS, **beams)
        return (lambda: plain(theirs.generate(**x, generation_config=copy.deepcopy(settings), n_docs=x["doc_scores"].shape[1])),
                lambda: plain(ours.generate(**x, max_new_tokens=new, **beams)))
    return (lambda: plain(theirs.generate(**x, num_return_sequences=1, max_new_tokens=new, **beams)),
            lambda: plain(ours.generate(**x, max_new_tokens=new, **beams)))


def inputs(kind, B, K, S, V, device):
    g = torch.Generator().manual_seed(1)
    ids = torch.randint(5, V - 5, (B*K, S), generator=g)
    return dict(context_input_ids=ids.to(device), context_attention_mask=torch.ones_like(ids).to(device),
        doc_scores=torch.randn(B, K, generator=g).to(device))


def floor(kind, generator, B, K, M, S, new, limits):
    "Seconds of a step, and of a whole call."
    cfg, size = generator.config, next(generator.parameters()).element_size()
    if kind == "causal":
        weights = reading = sum(p.numel() for p in generator.parameters())
        reading -= cfg.vocab_size*cfg.hidden_size
        state = 2 * cfg.num_hidden_layers * cfg.num_key_value_heads * (cfg.hidden_size // cfg.num_attention_heads)
    else:
        weights = cfg.decoder_layers*(6*cfg.d_model**2 + 2*cfg.d_model*cfg.decoder_ffn_dim) + cfg.vocab_size*cfg.d_model
        reading = cfg.encoder_layers*(4*cfg.d_model**2 + 2*cfg.d_model*cfg.encoder_ffn_dim) + cfg.decoder_layers*2*cfg.d_model**2
        state = 2 * cfg.decoder_layers * cfg.d_model
    step = limits.floor((weights + B*K*S*state)*size, 2*weights*B*K*M)
    scoring = limits.floor(weights*size, 2*weights*B*K*M*K*new) if kind == "sequence" else 0          # K·M candidates behind K documents
    return step, limits.floor(reading*size, 2*reading*B*K*S) + new*step + scoring


def agreement(a, b):
    n = min(a.shape[1], b.shape[1])
    return float((a[:, :n].cpu() == b[:, :n].cpu()).all(1).float().mean())


def apart(kind, M, generator, x, new, said):
    """Of the questions that two sides answer differently, how far apart their answers are in our log-probability, in nats: the most. For one beam
    at the token where they part, which a tie explains if it is small; for several, whose answers part where a beam was left, the whole answer's, a token."""
    n = min(new, *(s.shape[1] for s in said))
    said, (B, K) = [s[:, :n].to(x["doc_scores"].device) for s in said], x["doc_scores"].shape
    other = (said[0] != said[1]).any(1)
    if not other.any(): return None
    def log_p(answers):
        fed = torch.cat([answers.new_full((B, 1), EOS), answers[:, :-1]], 1)
        lp = answer_logprobs(generator, x["context_input_ids"], x["context_attention_mask"],
            *(t.repeat_interleave(K, 0) for t in (fed, answers))).view(B, K, n)
        return (sequence_marginal if kind == "sequence" else token_marginal)(lp, x["doc_scores"].float().log_softmax(-1))  # (B,) or (B, n)
    first, second = map(log_p, said)
    if M > 1 or kind == "sequence": gaps = (first - second).view(B, -1).sum(1).abs()/n
    else: gaps = (first - second).gather(1, (said[0] != said[1]).int().argmax(1)[:, None])[:, 0].abs()
    return float(gaps[other].max())


def row(kind, B, M, a, limits):
    K, S = a.docs, a.context if kind != "causal" else a.causal_context
    dtype = getattr(torch, a.dtype)
    equal32 = None
    if dtype != torch.float32 and B <= 8:
        t32, o32, g32 = models(kind, a.size, a.device, torch.float32, K)
        p, q = calls(kind, B, M, t32, o32, g32, inputs(kind, B, K, S, g32.config.vocab_size, a.device), 8)
        equal32 = agreement(p(), q())
        del t32, o32, g32, p, q
    theirs, ours, generator = models(kind, a.size, a.device, dtype, K)
    x = inputs(kind, B, K, S, generator.config.vocab_size, a.device)
    long, short = calls(kind, B, M, theirs, ours, generator, x, a.new), calls(kind, B, M, theirs, ours, generator, x, 2)
    answers = long[0](), long[1]()
    equal, gap = agreement(*answers), apart(kind, M, generator, x, a.new, answers)
    if dtype == torch.float32 and equal < 1 and not a.force: raise ValueError(f"the two sides differ in {1-equal:.0%} of the answers")
    sides = dict(theirs=long[0], ours=long[1])
    # steps of a search and scoring cannot be told apart
    if kind != "sequence": sides |= dict(theirs2=short[0], ours2=short[1]); short[0](), short[1]()
    t = alternate(sides, a.repeat, a.device, warm=False)
    wall, cpu = ({k: 1e3*v[which] for k, v in t.items()} for which in ("wall", "cpu"))
    step = [(wall[k] - wall[k + "2"]) / (a.new - 2) if kind != "sequence" else None for k in ("theirs", "ours")]
    least = [1e3*f for f in floor(kind, generator, B, K, M, S, a.new, limits)]
    memory = []
    for call in long:
        engine._STATES.clear(); gc.collect()                                                          # buffers that were kept count as well
        memory.append(peak(call, a.device))
    return dict(theirs_ms=wall["theirs"], ours_ms=wall["ours"], ratio=wall["theirs"]/wall["ours"], floor_call_ms=least[1],
        theirs_cpu_ms=cpu["theirs"], ours_cpu_ms=cpu["ours"],
                ratio_cpu=cpu["theirs"]/cpu["ours"], theirs_step_ms=step[0], ours_step_ms=step[1],
                step_ratio=step[0]/step[1] if kind != "sequence" else None,
                theirs_token_ms=wall["theirs"]/a.new, ours_token_ms=wall["ours"]/a.new,
                floor_ms=least[0] if kind != "sequence" else None, equal=equal, apart=gap, equal_float32=equal32,
                theirs_peak_gib=memory[0], ours_peak_gib=memory[1], all_seconds={k: v["all"] for k, v in t.items()})


COLUMNS = [("row", "row", ""), ("Transformers ms", "theirs_ms", ".1f"), ("rag_nb ms", "ours_ms", ".1f"), ("ratio", "ratio", ".1f"),
    ("floor ms", "floor_call_ms", ".1f"),
           ("processor ms: Transformers", "theirs_cpu_ms", ".0f"), ("rag_nb", "ours_cpu_ms", ".0f"), ("ratio", "ratio_cpu", ".1f"),
           ("a step: Transformers ms", "theirs_step_ms", ".2f"), ("rag_nb ms", "ours_step_ms", ".2f"), ("ratio", "step_ratio", ".1f"),
           ("floor ms", "floor_ms", ".2f"),
           ("equal answers", "equal", ".0%"), ("others apart, nats a token", "apart", ".1e"), ("in float32", "equal_float32", ".0%"),
           ("peak GiB: Transformers", "theirs_peak_gib", ".2f"), ("rag_nb", "ours_peak_gib", ".2f")]


@torch.no_grad()
def main():
    p = arguments(__doc__)
    p.add_argument("--new", type=int, default=32, help="tokens of an answer")
    p.add_argument("--size", choices=SIZES, default=None); p.add_argument("--docs", type=int, default=5)
    p.add_argument("--context", type=int, default=300); p.add_argument("--causal-context", type=int, default=200)
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.dtype, a.size, rows = a.dtype or ("bfloat16" if cuda else "float32"), a.size or ("large" if cuda
        else "base"), ROWS if cuda else CPU_ROWS
    if a.list: return print("\n".join(rows))
    transformers.logging.set_verbosity_error()
    limits = machine(a.device, getattr(torch, a.dtype))
    report = Report(COLUMNS, limits, a.out, benchmark="generation", size=a.size, docs=a.docs, context=a.context,
        causal_context=a.causal_context, new=a.new)
    for name in a.rows or rows:
        if not report.over(a.seconds): report.add(name, lambda: row(*rows[name], a, limits))


if __name__ == "__main__": main()
