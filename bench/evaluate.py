"""SQuAD as an open-domain task: the table of how well models answer from all paragraphs.

    python bench/evaluate.py --data DIR [--model NAME=WHAT ...] [--n-docs 1 5 10 20] [--kinds token sequence] [--none] [--gold]
                             [--lexical-weight W] [--device cuda] [--dtype bfloat16] [--decoder reference] [--memory GIB]
                             [--limit N] [--out FILE.json [--resume]]
    python bench/evaluate.py --table FILE.json ...

DIR has documents.parquet (id, title, text) and dev.parquet (question, answers, document_id). Every question is asked of all
paragraphs together; none is told which is its own. WHAT is

    default    all-MiniLM-L6-v2 and SmolLM2-135M-Instruct as they come, with the library's own prompt
    demo       what `Rag.demo()` answers with
    FOLDER     a saved RAG checkpoint, or what tools/train_default.py writes (adapters/ and config.json)

--none also asks without documents, --gold also gives the right paragraph and no other, and with --n-docs 0 nothing else is asked.
--lexical-weight W counts words beside vectors, 0 not at all; without it a model does what its configuration says. Each model embeds all paragraphs itself,
unless --index FOLDER has them from an earlier call (one folder a model). It needs torch, transformers, peft, pyarrow and numpy,
neither datasets nor faiss. --limit N takes N questions spread over the file, and --paragraphs N only so many paragraphs, theirs
among them: both to try it out, on two cores say, and not for the table. --table puts the rows of earlier calls into one table.
--out is written after every row; with --resume the rows of as many questions that it has already are kept, and not asked again.
--decoder reference goes by the loop that always works. --memory is how much of a GPU's memory to take, where others share it.
"""
import argparse, json, os, sys, time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
PUBLISHED = [("published: BART-large and DPR, 626 M parameters, trained on Wikipedia", .2812), ("the same, trained end to end", .4002)]


def tables(data, limit=None, paragraphs=None, questions="dev"):
    "Paragraphs and questions; with limits, questions spread over the file and their paragraphs before others."
    import pyarrow.parquet as pq
    docs = pq.read_table(Path(data)/"documents.parquet", columns=["id", "title", "text"]).to_pylist()
    asked = pq.read_table(Path(data)/f"{questions}.parquet").to_pylist()
    if limit: asked = asked[::max(1, len(asked)//limit)][:limit]
    if paragraphs:
        theirs = {q["document_id"] for q in asked}
        docs = sorted(docs, key=lambda d: d["id"] not in theirs)[:max(paragraphs, len(theirs))]
    return docs, asked


def parts(what, device):
    "The networks and settings of a model: encoder, (generator, tokenizer), fields of the configuration."
    from rag_nb.demo.defaults import default_encoder, default_generator
    if what == "default": return default_encoder(device, trained=False), default_generator(device, trained=False), {}
    if (Path(what)/"adapters").is_dir(): return adapted(Path(what), device)
    from rag_nb.core.config import RagConfig
    from rag_nb.core.encoder import TextEncoder
    from rag_nb.core.model import RagTokenForGeneration, RagSequenceForGeneration
    from rag_nb.hf.tokenizer import RagTokenizer
    head = RagSequenceForGeneration if "RagSequenceForGeneration" in (RagConfig.from_pretrained(what).architectures
        or []) else RagTokenForGeneration
    model = head.from_pretrained(what).to(device)
    tokenizer, config = RagTokenizer.from_pretrained(what, config=model.config), model.config
    keep = ("context_template", "answer_prefix", "max_combined_length", "score_scale", "lexical_weight", "eos_token_id", "n_docs",
        "title_sep", "doc_sep", "prefix")
    return TextEncoder(model.question_encoder, tokenizer.question_encoder, config.encoder_spec(), what), (model.generator,
        tokenizer.generator), {k: getattr(config, k) for k in keep if getattr(config, k) is not None}


def adapted(folder, device):
    "The built-in networks with a training's adapters worked in, and its configuration."
    from peft import PeftModel
    from rag_nb.demo.defaults import default_encoder, default_generator
    encoder, (generator, tokenizer) = default_encoder(device, trained=False), default_generator(device, trained=False)
    whole = lambda net, part: PeftModel.from_pretrained(net,
        str(folder/"adapters"/part)).merge_and_unload() if (folder/"adapters"/part).is_dir() else net
    encoder.model, generator = whole(encoder.model, "question_encoder"), whole(generator, "generator")
    encoder.name, generator.rag_config = f"{encoder.name}, trained in {folder.name}", {}
    facts = json.loads((folder/"config.json").read_text(encoding="utf8"))
    return encoder, (generator, tokenizer), {"eos_token_id": tokenizer.eos_token_id, **facts.get("config", facts)}


def opened(what, docs, device, dtype, index=None):
    "A `Rag` over all paragraphs, each kept whole."
    import torch
    from rag_nb.demo.defaults import Rag, cast
    from rag_nb.core.passages import Passages
    from rag_nb.core.retriever import RagRetriever
    if what == "demo":
        rag = Rag.demo(device=device)
        encoder, pair, config = rag.encoder, None, {}
    else: encoder, pair, config = parts(what, device)
    encoder.model.eval()
    if index is not None and (Path(index)/"manifest.json").exists():
        retriever = RagRetriever.from_pretrained(index, encoder=encoder)
    else: retriever = RagRetriever.from_documents(Passages.from_documents(docs, n_words=None), encoder, path=index)
    if pair is None: rag = rag.with_retriever(retriever)
    else:
        pair[0].rag_config = {**getattr(pair[0], "rag_config", {}), **config}
        rag = Rag.from_parts(retriever, encoder, pair)
    if dtype != "float32": cast(rag.model.generator, dtype=getattr(torch, dtype))
    return rag


def gold(rag, questions, batch, tokens=24, decoder="auto"):
    "EM and F1 where each question is given its own paragraph and no other."
    from rag_nb.core.evaluate import _draws, _mean, exact_match, f1_score
    from rag_nb.core.passages import Hits
    place = {d: i for i, d in enumerate(rag.retriever.passages.column("document"))}
    rows = rag.retriever.passages[[place[q["document_id"]] for q in questions]]
    start, order, said = time.time(), sorted(range(len(rows)), key=lambda i: -len(rows[i]["text"])), {}
    for s in range(0, len(order), batch):
        part = order[s:s+batch]
        answers = rag.ask([questions[i]["question"] for i in part], hits=Hits.of([[rows[i]] for i in part]), batch_size=batch,
            max_new_tokens=tokens, decoder=decoder)
        said |= {i: a.text for i, a in zip(part, answers)}
    seconds, draws = time.time() - start, _draws(len(said), 1000, 0)
    (em, em_ci), (f1, f1_ci) = (_mean([score(said[i], questions[i]["answers"]) for i in sorted(said)], draws)
        for score in (exact_match, f1_score))
    return dict(kind="gold", n_docs=1, n=len(said), seconds=seconds, em=em, em_ci=em_ci, f1=f1, f1_ci=f1_ci)


def rows_of(name, rag, questions, o, have=()):
    "The measures of one model, one dict a setting; not of the settings (kind, documents) that there are already."
    from rag_nb.store.questions import read_questions
    from rag_nb.core.evaluate import evaluate
    asked = read_questions(questions)
    settings = [("no_documents", 1)]*o.none + [(kind, k) for k in o.n_docs if k for kind in (o.kinds if k > 1 else o.kinds[:1])]
    for kind, k in settings:
        if (kind, k if kind != "no_documents" else 0) in have: continue
        start = time.time()
        e = evaluate(rag, asked, n_docs=k, kind=kind, compare=False, batch_size=o.contexts//k or 1, max_new_tokens=o.tokens,
            num_beams=o.beams, decoder=o.decoder)
        words = dict(lexical_weight=rag.model.config.lexical_weight) if kind != "no_documents" else {}
        yield dict(model=name, kind=kind, n_docs=k if kind != "no_documents" else 0, **words, seconds=time.time()-start,
            **{m: v for m, v in e.measures.items() if m != "compare"})
    if o.gold and ("gold", 1) not in have: yield dict(model=name, **gold(rag, questions, o.contexts, o.tokens, o.decoder))


WAYS = {"token": "RAG-Token", "sequence": "RAG-Sequence", "no_documents": "no retrieval", "gold": "the right paragraph given"}
COLUMNS = ["model", "read by", "documents", "words", "questions", "EM", "95 %", "F1", "recall@1", "@5", "@20", "ECE", "ms a question"]


def line(r):
    "A row of the table, as texts."
    num = lambda k: f"{r[k]:.3f}" if r.get(k) is not None else ""
    ci = "{:.3f}–{:.3f}".format(*r["em_ci"]) if r.get("em_ci") else ""
    pace = f"{1000*r['seconds_per_question']:.0f}" if r.get("seconds_per_question") else ""
    if r.get("kind") == "no_documents": r = {k: v for k, v in r.items() if not k.startswith("recall")}
    words = "" if r.get("lexical_weight") is None else f"{r['lexical_weight']:g}".lstrip("0") or "no"
    return [r["model"], WAYS.get(r.get("kind"), ""), str(r.get("n_docs") or ""), words, f"{r['n']:,}" if r.get("n") else "", num("em"), ci,
        num("f1"), num("recall_at_1"), num("recall_at_5"), num("recall_at_20"), num("ece"), pace]


def table(rows):
    "All rows in Markdown, the published figures last."
    lines = [COLUMNS, ["---"]*3 + ["---:"]*10] + [line(r) for r in rows] + [line(dict(model=n, em=em)) for n, em in PUBLISHED]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def joined(files):
    "The rows that earlier calls wrote, each setting once: the one of most questions."
    rows = {}
    for r in (r for f in files for r in json.loads(Path(f).read_text(encoding="utf8"))["rows"]):
        key = tuple(r.get(k) for k in ("model", "kind", "n_docs", "lexical_weight"))
        if key not in rows or rows[key]["n"] < r["n"]: rows[key] = r
    return list(rows.values())


def earlier(o, n):
    "The rows of n questions that an earlier call left in --out."
    if not (o.resume and o.out and o.out.exists()): return []
    return [r for r in json.loads(o.out.read_text(encoding="utf8"))["rows"] if r["n"] == n]


def keep(path, found):
    "Write a call's results so far: the file is whole at any time."
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf8")
    os.replace(part, path)


def main(argv=None):
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--data", type=Path)
    a.add_argument("--table", nargs="+", metavar="FILE.json", help="only print what earlier calls wrote")
    a.add_argument("--model", nargs="+", default=["as they come=default"], metavar="NAME=WHAT")
    a.add_argument("--n-docs", type=int, nargs="+", default=[1, 5, 10, 20])
    a.add_argument("--kinds", nargs="+", default=["token", "sequence"], choices=["token", "sequence"])
    a.add_argument("--none", action="store_true"); a.add_argument("--gold", action="store_true")
    a.add_argument("--questions", default="dev")
    a.add_argument("--device", default=None); a.add_argument("--dtype", default=None)
    a.add_argument("--contexts", type=int, help="contexts in a batch")
    a.add_argument("--tokens", type=int, default=24, help="longest answer"); a.add_argument("--beams", type=int, default=1)
    a.add_argument("--index", type=Path, help="keep the vectors here"); a.add_argument("--limit", type=int)
    a.add_argument("--paragraphs", type=int)
    a.add_argument("--out", type=Path)
    a.add_argument("--lexical-weight", type=float, help="of words beside vectors; the model's own where not given")
    a.add_argument("--decoder", default="auto", choices=["auto", "reference"]); a.add_argument("--memory", type=float, metavar="GIB")
    a.add_argument("--resume", action="store_true")
    o = a.parse_args(argv)
    if o.table: rows = joined(o.table); print(table(rows)); return rows
    if not o.data: a.error("say with --data where the paragraphs and questions are")
    import torch
    o.device = o.device or ("cuda" if torch.cuda.is_available() else "cpu")
    cuda = o.device.startswith("cuda")
    o.dtype, o.contexts = o.dtype or ("bfloat16" if cuda else "float32"), o.contexts or (640 if cuda else 32)
    if cuda: torch.backends.cuda.matmul.allow_tf32 = True
    if cuda and o.memory:
        torch.cuda.set_per_process_memory_fraction(min(1., o.memory*2**30
            /torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory))
    docs, questions = tables(o.data, o.limit, o.paragraphs, o.questions)
    print(f"{len(questions):,} questions, {len(docs):,} paragraphs, {torch.cuda.get_device_name() if cuda else 'CPU'}, {o.dtype}",
        file=sys.stderr, flush=True)
    rows = earlier(o, len(questions))
    for spec in o.model:
        name, _, what = spec.partition("=")
        start, rag = time.time(), opened(what or name, docs, o.device, o.dtype, o.index)
        if o.lexical_weight is not None: rag.model.config.lexical_weight = o.lexical_weight
        print(f"{name}: {rag}, ready in {time.time()-start:.0f} s", file=sys.stderr, flush=True)
        for r in rows_of(name, rag, questions, o, {(r["kind"], r["n_docs"]) for r in rows if r["model"] == name}):
            rows.append(r)
            print("  ".join(c for c in line(r) if c) + f"  ({r.get('seconds', 0):.0f} s)", file=sys.stderr, flush=True)
            if o.out: keep(o.out, dict(device=o.device, dtype=o.dtype, paragraphs=len(docs), tokens=o.tokens, beams=o.beams, rows=rows))
        del rag
    print(table(rows))
    return rows


if __name__ == "__main__": main()
