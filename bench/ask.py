"""The whole way of a question, beside the same way written with Transformers and PyTorch alone: the same weights, vectors and passages in one run.

    python bench/ask.py [--device cuda|cpu] [--model demo|random] [--kinds sequence token] [--n 5] [--repeat 5] [--new 32] [--beams 1] [--out FILE.json]

`demo` is the built-in default (its weights have to be in the cache already, as `rag-nb demo` puts them there); `random` has its sizes and its shipped passages,
with a byte tokenizer and random weights, so that nothing is needed. The Transformers side is what one writes with it: encode the
question, one matrix product and `topk`, lay out K contexts and tokenise them, then for RAG-Sequence `generate` of K rows, every
different candidate scored behind every document, the best sum; for RAG-Token greedy steps of K rows, marginalised in Python.
--n questions are asked one at a time and in turn; the row tells the median over all calls. The tokens of both sides have to be the
same, all of them, before any time is told. The first call of each question is not counted; nothing of an answer is kept between calls
(no passage cache: bench/passage_cache.py measures that), and RAG-Sequence's prior is the search's, as the other side computes it.
"""
import statistics

from common import Report, arguments, machine, peak, timed
import torch, transformers
from rag_nb import Rag
from rag_nb.demo.defaults import cast
from rag_nb.hf.tokenizer import pad_rows

COLUMNS = [("row", "row", ""), ("Transformers ms", "theirs_ms", ".0f"), ("rag_nb ms", "ours_ms", ".0f"), ("ratio", "ratio", ".2f"),
    ("fastest rag_nb", "best_ms", ".0f"), ("floor ms", "floor_ms", ".0f"),
           ("processor ms: Transformers", "theirs_cpu_ms", ".0f"), ("rag_nb", "ours_cpu_ms", ".0f"), ("ratio", "ratio_cpu", ".2f"),
           ("same answers", "equal", ".0%"), ("tokens read", "read", ".0f"), ("steps", "steps", ".1f"),
           ("peak GiB: Transformers", "theirs_peak_gib", ".2f"), ("rag_nb", "ours_peak_gib", ".2f")]


def default(a):
    rag = Rag.demo()
    return rag, [q for q in rag.questions] if hasattr(rag, "questions") else QUESTIONS


QUESTIONS = ["Where did Super Bowl 50 take place?", "When did the Normans settle in Normandy?", "What is the capital of Poland?",
    "Who discovered oxygen?", "Which river flows through Warsaw?",
             "What do plants need for photosynthesis?", "Who founded the Yuan dynasty?", "What is the largest city of Kenya?"]


def random(a):
    "The default's sizes and passages, and weights of no sense."
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
    from rag_nb import EncoderSpec, Passages, RagRetriever, TextEncoder, make_index
    from rag_nb.core.toy import toy_documents, toy_tokenizer
    torch.manual_seed(0)
    tokenizer = toy_tokenizer("llama")
    with torch.device(a.device):
        generator = LlamaForCausalLM(LlamaConfig(hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9,
            num_key_value_heads=3, vocab_size=49152, tie_word_embeddings=True,
                                             initializer_range=.06, bos_token_id=tokenizer.bos_token_id,
                                             eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
                                             max_position_embeddings=4096)).eval()
    encoder = TextEncoder(BertModel(BertConfig(vocab_size=30522, hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=1536)).eval(), toy_tokenizer("llama"), EncoderSpec(pooling="mean", normalize=True), "random")
    docs = [dict(id=f"{i}-{d['id']}", title=d["title"], text=(d["text"] + " ")*3) for i in range(160) for d in toy_documents()]
    passages = Passages.from_documents([{**d, "text": d["text"][:120]} for d in docs], n_words=200)
    vectors = torch.nn.functional.normalize(torch.randn(len(passages), 384), dim=1)
    retriever = RagRetriever(index=make_index("exact", vectors, device=a.device), passages=passages, encoder=encoder)
    return Rag.from_parts(retriever, encoder, (generator, tokenizer), n_docs=5, score_scale=20.), QUESTIONS


class Alone:
    "The same, with Transformers and PyTorch alone."
    def __init__(self, rag, a):
        self.generator, self.tokenizer, self.config, self.a = rag.model.rag.generator, rag.tokenizer.generator, rag.model.config, a
        self.encoder, self.reader = rag.encoder.model, rag.encoder.tokenizer
        self.vectors = rag.retriever.index.vectors(torch.arange(len(rag.retriever.passages))).to(a.device)  # (N, D) float32
        self.passages, self.scale, ends = rag.retriever.passages, self.config.score_scale, rag.model.generation_config.eos_token_id
        self.ends = ends if isinstance(ends, list) else [ends]
        self.pad = self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.ends[0]

    def contexts(self, question):
        read = self.reader([question], return_tensors="pt", truncation=True, max_length=self.config.question_max_length).to(self.a.device)
        states, mask = self.encoder(**read).last_hidden_state, read["attention_mask"][..., None]
        q = torch.nn.functional.normalize((states*mask).sum(1)/mask.sum(1), dim=1)  # (1, D)
        scores, ids = (q @ self.vectors.T)[0].topk(self.config.n_docs)
        texts = ["{title}\n{text}\n\nQuestion: {question}\nAnswer:".format(title=p["title"], text=p["text"], question=question)
            for p in (self.passages[int(i)] for i in ids)]
        rows = self.tokenizer(texts).input_ids                                     # with what this tokenizer begins a text with
        ids, mask = pad_rows(rows, self.pad, left=True)
        return ids.to(self.a.device), mask.to(self.a.device), (scores.float()*self.scale).log_softmax(0)

    def sequence(self, question):
        ids, mask, prior = self.contexts(question)
        out = self.generator.generate(input_ids=ids, attention_mask=mask, max_new_tokens=self.a.new, do_sample=False,
            num_beams=self.a.beams, num_return_sequences=self.a.beams, eos_token_id=self.ends, pad_token_id=self.pad)
        said = {}
        for row in out[:, ids.shape[1]:].tolist():
            end = next((i + 1 for i, t in enumerate(row) if t in self.ends), len(row))
            said[tuple(row[:end])] = None
        best = None
        for y in said:                                                                              # one candidate behind all documents
            y = torch.tensor(y, device=ids.device).expand(len(ids), -1)
            whole = torch.cat([mask, torch.ones_like(y)], 1)
            logits = self.generator(input_ids=torch.cat([ids, y], 1), attention_mask=whole,
                position_ids=(whole.cumsum(1) - 1).clamp(min=0), logits_to_keep=y.shape[1] + 1).logits[:, :-1]
            lp = (logits.float().log_softmax(-1).gather(2, y[..., None])[..., 0].sum(1) + prior).logsumexp(0)
            if best is None or lp > best[0]: best = lp, y[0]
        return [t for t in best[1].tolist() if t not in self.ends]

    def token(self, question):
        ids, mask, prior = self.contexts(question)
        cache, said, feed, at = transformers.DynamicCache(), [], ids, (mask.cumsum(1) - 1).clamp(min=0)
        for _ in range(self.a.new):
            logits = self.generator(input_ids=feed, attention_mask=mask, position_ids=at, past_key_values=cache, use_cache=True,
                logits_to_keep=1).logits[:, -1]
            token = int((logits.float().log_softmax(-1) + prior[:, None]).logsumexp(0).argmax())
            said.append(token)
            if token in self.ends: break
            feed = torch.full((len(ids), 1), token, device=ids.device)
            mask, at = torch.cat([mask, mask.new_ones(len(ids), 1)], 1), at[:, -1:] + 1
        return [t for t in said if t not in self.ends]


def least(rag, question, kind, a, limits):
    "The default's floor: reading the contexts is arithmetic, and each step reads the weights."
    answer, generator = rag.ask(question, kind=kind, max_new_tokens=a.new), rag.model.rag.generator
    weights = sum(p.numel() for p in generator.parameters())
    body = weights - generator.get_input_embeddings().weight.numel()
    read = sum(len(rag.tokenizer.generator(f"{d['title']}\n{d['text']}\n\nQuestion: {question}\nAnswer:").input_ids)
        for d in answer.hits.documents())
    steps = len(answer.tokens) + 1
    return limits.floor(operations=2*body*read) + steps*limits.floor(weights*generator.dtype.itemsize), read, steps


def row(rag, questions, kind, a, limits):
    rag.model.config.passage_cache_bytes, rag.model.generator.rerank = 0, None
    alone = Alone(rag, a)
    ours = lambda q: [t for t in rag.ask(q, kind=kind, num_beams=a.beams, max_new_tokens=a.new).written.tolist() if t not in alone.ends]
    sides = dict(theirs=getattr(alone, kind), ours=ours)
    said = {side: [ask(q) for q in questions] for side, ask in sides.items()}
    equal = sum(x == y for x, y in zip(*said.values()))/len(questions)
    if equal < 1 and not a.force and rag.model.dtype == torch.float32:
        raise ValueError("answers differ: " + "; ".join(f"{x}, {y}" for x, y in zip(*said.values()) if x != y)[:300])
    took = {side: [] for side in sides}
    for _ in range(a.repeat):
        for q in questions:
            for side, ask in sides.items(): took[side].append(timed(lambda: ask(q), a.device)[1:])
    wall, cpu = ({s: 1e3*statistics.median(t[i] for t in ts) for s, ts in took.items()} for i in (0, 1))
    floors = [least(rag, q, kind, a, limits) for q in questions]
    return dict(theirs_ms=wall["theirs"], ours_ms=wall["ours"], ratio=wall["theirs"]/wall["ours"],
        best_ms=1e3*min(w for w, _ in took["ours"]), floor_ms=1e3*statistics.median(f for f, *_ in floors),
                theirs_cpu_ms=cpu["theirs"], ours_cpu_ms=cpu["ours"], ratio_cpu=cpu["theirs"]/cpu["ours"], equal=equal,
                read=statistics.median(r for _, r, _ in floors), steps=statistics.mean(s for *_, s in floors),
                theirs_peak_gib=peak(lambda: sides["theirs"](questions[0]), a.device),
                ours_peak_gib=peak(lambda: sides["ours"](questions[0]), a.device),
                answers=[rag.tokenizer.generator.decode(t).strip() for t in said["ours"]],
                all_seconds={s: [w for w, _ in ts] for s, ts in took.items()})


@torch.no_grad()
def main():
    p = arguments(__doc__)
    p.add_argument("--model", choices=["demo", "random"], default="demo"); p.add_argument("--n", type=int, default=5, help="questions")
    p.add_argument("--kinds", nargs="*", default=["sequence", "token"]); p.add_argument("--new", type=int, default=32)
    p.add_argument("--beams", type=int, default=1)
    a = p.parse_args()
    names = {f"{a.model} {kind}": kind for kind in a.kinds}
    if a.list: return print("\n".join(names))
    transformers.logging.set_verbosity_error()
    dtype = getattr(torch, a.dtype or "float32")
    limits = machine(a.device, dtype)
    rag, questions = default(a) if a.model == "demo" else random(a)
    cast(rag.model, a.device, dtype)
    rag.encoder.model.to(a.device)
    report = Report(COLUMNS, limits, a.out, benchmark="ask", model=a.model, new=a.new, beams=a.beams, docs=rag.model.config.n_docs,
        passages=len(rag.retriever.passages))
    for name in a.rows or names: report.add(name, lambda: row(rag, questions[:a.n], names[name], a, limits))


if __name__ == "__main__": main()
