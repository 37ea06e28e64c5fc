"""A training step of RAG beside Transformers: the same weights, contexts and answers in one run, alternating, losses and gradients compared first.

    python bench/training.py [--device cuda|cpu] [--dtype bfloat16|float32] [--size large|base|tiny] [--rows NAME ...] [--repeat 5] [--out FILE.json]

A step is the loss and its gradient for every weight of generator and question encoder; the optimiser is the same for both and
left out. Transformers' side is RagTokenForGeneration (or RagSequence) called with labels, rag_nb's is the likelihood that its
training uses (lesson 38), on a GPU with the networks' passes recorded (lesson 37), but for the rows that say otherwise.
`checkpointed` rows recompute what they can on both sides, and are not recorded. Weights are random, in evaluation mode, since
dropout would make every loss another. Memory is the most that PyTorch took from the card, weights, gradients and recordings included.
The floor is three times the forward pass's arithmetic at the rate of a large matrix product.
Before any time is told both sides run in float32 (on a GPU in a short version), where losses have to agree to a thousandth and
gradients to a hundredth of their length; in bfloat16 the difference is told.
"""
import gc

from common import Report, alternate, arguments, machine
from generation import BOS, EOS, SIZES, inputs, models
import torch, transformers
from rag_nb import doc_log_prior
from rag_nb.fast.fused_loss import answer_logprobs, marginal_nll
from rag_nb.fast.cuda_graphs import Recorder
from rag_nb.core.model import align_labels

ROWS = {"token B=8": dict(kind="token", B=8, record=True), "token B=8, not recorded": dict(kind="token", B=8),
    "token B=8, checkpointed": dict(kind="token", B=8, again=True),
        "sequence B=8": dict(kind="sequence", B=8, record=True), "token B=8, 4 answers each": dict(kind="token", B=8, same=4, record=True)}
CPU_ROWS = {"token B=2": dict(kind="token", B=2), "token B=2, checkpointed": dict(kind="token", B=2, again=True)}
COLUMNS = [("row", "row", ""), ("Transformers ms", "theirs_ms", ".1f"), ("rag_nb ms", "ours_ms", ".1f"), ("ratio", "ratio", ".2f"),
    ("floor ms", "floor_ms", ".1f"),
           ("processor ms: Transformers", "theirs_cpu_ms", ".0f"), ("rag_nb", "ours_cpu_ms", ".0f"),
           ("peak GiB: Transformers", "theirs_peak_gib", ".2f"), ("rag_nb", "ours_peak_gib", ".2f"),
           ("loss differs by", "loss_gap", ".1e"), ("gradient by", "gradient_gap", ".1e"), ("in float32", "gradient_gap_32", ".1e")]


def case(kind, B, a, dtype, same=1, record=False):
    """Both sides' steps: functions that leave gradients behind and return the loss; the generator, the model, and our recorder or None.
    `same`: rows of one question stand beside each other, with other answers."""
    theirs, ours, generator = models(kind, a.size, a.device, dtype, a.docs)
    x = inputs(kind, B // same, a.docs, a.context, generator.config.vocab_size, a.device)
    x = {k: v.repeat_interleave(same, 0) if k == "doc_scores" else v.view(B // same, a.docs, -1).repeat_interleave(same, 0).flatten(0, 1)
        for k, v in x.items()}
    g = torch.Generator().manual_seed(2)
    labels = torch.randint(5, generator.config.vocab_size - 5, (B, a.new), generator=g)
    labels[:, 0], labels[:, -1] = BOS, EOS
    labels, vectors = labels.to(a.device), torch.randint(5, 95, (B, 12), generator=g).to(a.device)
    docs = torch.randn(B, a.docs, 32, generator=g).to(a.device)
    recorder, asking = (Recorder(generator, longest=(a.context,), after=1),
        Recorder(ours.rag.question_encoder, after=1)) if record else (None, None)
    def scores(by=None):
        found = ours.rag.question_encoder(vectors).pooler_output if by is None else by(_embedded, ids=vectors)
        return torch.einsum("bd,bkd->bk", found.float(), docs)
    def one():
        out = theirs(context_input_ids=x["context_input_ids"], context_attention_mask=x["context_attention_mask"], doc_scores=scores(),
            labels=labels, reduce_loss=True, use_cache=False)
        (out.loss/B).backward()
        return out.loss.detach()/B
    def other():
        found = scores(asking)                                              # the search comes before the reading
        fed, targets = (v.repeat_interleave(a.docs, 0) for v in align_labels(labels, ours.config))
        lp = answer_logprobs(generator, x["context_input_ids"], x["context_attention_mask"], fed, targets, rows=64, one_matrix=True,
            record=recorder)
        loss = marginal_nll(lp.view(B, a.docs, -1), doc_log_prior(found), kind).mean()
        loss.backward()
        return loss.detach()
    return one, other, generator, ours, recorder


def _embedded(encoder, ids): return encoder(ids).pooler_output


def gradients(step, model):
    for p in model.parameters(): p.grad = None
    loss = step()
    return loss, {n: p.grad.float().clone() for n, p in model.named_parameters() if p.grad is not None}


def gap(steps, model):
    "Relative differences of the loss, and of the gradient as one long vector."
    (l, g), (m, h) = (gradients(s, model) for s in steps)
    if set(g) != set(h): raise ValueError(f"gradients reach other weights: {sorted(set(g) ^ set(h))[:3]}")
    return float((l - m).abs()/l.abs()), float(sum((g[n] - h[n]).square().sum() for n in g).sqrt()
        / sum(x.square().sum() for x in g.values()).sqrt())


def highest(step, model, device):
    if device != "cuda": return None
    for p in model.parameters(): p.grad = None
    gc.collect(); torch.cuda.empty_cache(); torch.cuda.reset_peak_memory_stats()
    step(); torch.cuda.synchronize()
    return torch.cuda.max_memory_reserved()/2**30


def work(generator, B, a):
    "Operations of a forward pass: two for every weight and row that it multiplies."
    c, R = generator.config, B*a.docs
    read = c.encoder_layers*(4*c.d_model**2 + 2*c.d_model*c.encoder_ffn_dim) + c.decoder_layers*2*c.d_model**2
    write = c.decoder_layers*(6*c.d_model**2 + 2*c.d_model*c.decoder_ffn_dim) + c.vocab_size*c.d_model
    return 2*R*(a.context*read + a.new*write) + 4*R*a.context**2*c.d_model*c.encoder_layers


def played(recorder):
    if recorder is not None and set(recorder.counts) != {"played"}: raise ValueError(f"a pass was not recorded: {dict(recorder.counts)}")


def row(a, limits, kind, B, again=False, same=1, record=False):
    dtype, short = getattr(torch, a.dtype), type(a)(**{**vars(a), "context": min(a.context, 60)})
    *steps, generator, ours, recorder = case(kind, min(B, 4), short, torch.float32, min(same, 2), record)
    gap(steps, ours)  # the second time a recording is played that was made the first time
    gap32 = gap(steps, ours)
    played(recorder)
    if (gap32[0] > 1e-3 or gap32[1] > 1e-2) and not a.force:
        raise ValueError(f"in float32 the losses differ by {gap32[0]:.1e} and the gradients by {gap32[1]:.1e} of their length")
    del steps, generator, ours, recorder
    gc.collect()
    one, other, generator, ours, recorder = case(kind, B, a, dtype, same, record)
    if again:
        generator.gradient_checkpointing_enable(gradient_checkpointing_kwargs=dict(use_reentrant=False)); generator.train()
        _no_dropout(generator)
    gaps = gap((one, other), ours)
    played(recorder)
    if recorder is not None: recorder.forget()                             # Transformers' memory without our recordings, ours with them
    memory = [highest(s, ours, a.device) for s in (one, other)]
    weights = [*ours.parameters()]                                         # as an optimiser has them
    def cleared(step):
        def run():
            for p in weights: p.grad = None
            return step()
        return run
    t = alternate(dict(theirs=cleared(one), ours=cleared(other)), a.repeat, a.device)
    return dict(theirs_ms=1e3*t["theirs"]["wall"], ours_ms=1e3*t["ours"]["wall"], ratio=t["theirs"]["wall"]/t["ours"]["wall"],
        floor_ms=1e3*limits.floor(operations=3*work(generator, B // same, a)),
                theirs_cpu_ms=1e3*t["theirs"]["cpu"], ours_cpu_ms=1e3*t["ours"]["cpu"], theirs_peak_gib=memory[0], ours_peak_gib=memory[1],
                loss_gap=gaps[0], gradient_gap=gaps[1], gradient_gap_32=gap32[1],
                all_seconds={k: v["all"] for k, v in t.items()})


def _no_dropout(model):
    "Checkpointing wants training mode; the losses of both sides shall be the same all the same."
    for m in model.modules():
        if isinstance(m, torch.nn.Dropout): m.p = 0.
        for name in ("dropout", "activation_dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(m, name, None), float): setattr(m, name, 0.)


def main():
    p = arguments(__doc__)
    p.add_argument("--size", choices=SIZES); p.add_argument("--docs", type=int, default=5)
    p.add_argument("--context", type=int, default=300)
    p.add_argument("--new", type=int, default=32, help="tokens of an answer")
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.dtype, a.size, rows = a.dtype or ("bfloat16" if cuda else "float32"), a.size or ("large" if cuda
        else "base"), ROWS if cuda else CPU_ROWS
    if a.list: return print("\n".join(rows))
    transformers.logging.set_verbosity_error()
    limits = machine(a.device, getattr(torch, a.dtype))
    report = Report(COLUMNS, limits, a.out, benchmark="training", size=a.size, docs=a.docs, context=a.context, new=a.new)
    for name in a.rows or rows:
        if not report.over(a.seconds): report.add(name, lambda: row(a, limits, **rows[name]))


if __name__ == "__main__": main()
