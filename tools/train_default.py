"""Train the models that answer by default: adapters for all-MiniLM-L6-v2 and SmolLM2-135M-Instruct, RAG-Token on SQuAD.

    python tools/train_default.py DATA --out DIR [--device cuda] [--steps retriever=340,reader=340,...] [--begin ADAPTERS ...] [--set FIELD=VALUE ...]
    torchrun --nproc-per-node 2 tools/train_default.py ...

DATA is a folder with documents.parquet (id, title, text) and train.parquet (question, answers, document_id). The knowledge is
every paragraph of documents.parquet; only questions of train.parquet are learnt. Stages, one after another, in `STAGES`:

  retriever  the encoder of questions and passages, contrastively: a question's paragraph against the batch and what a search finds
  reader     the generator on each question's own paragraph
  rag        both together: RAG-Token over what is found, the vectors of all paragraphs made anew on the way
  sharper    the encoder and the score scale once more, against more of what is found wrongly
  both       everything together, on the mean of RAG-Token's and RAG-Sequence's likelihood

DIR then holds adapters/ (peft), log.json, config.json, and trained/, which is what the package carries as rag_nb/trained. With --only,
the stages that --steps does not name are left out. --begin goes on from adapters that were made before; of several folders
the first that has a part is taken for it, and a part that none has begins as it comes; without any steps they are only put together. --set changes fields of the stages.
Under torchrun the processes share each batch, and the first of them writes. --limit N keeps N questions and their paragraphs,
to try it out. The heads trained apart, from one reader:

    python tools/train_default.py DATA --out reader --device cuda --only --steps reader=340
    for head in token sequence; do python tools/train_default.py DATA --out $head --device cuda --only --steps both=120 --set kind=$head \\
        --begin reader/adapters rag_nb/trained --score-scale 26.4; done
"""
import argparse, json, math, os, time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
PROCESSES, FIRST = int(os.environ.get("WORLD_SIZE", 1)), os.environ.get("RANK", "0") == "0"
RANKS = dict(generator=32, question_encoder=32)
ENCODER, ALL = ("question_encoder", "passage_encoder"), ("generator", "question_encoder", "passage_encoder")
STAGES = dict(
    retriever=dict(seed=0, train=ENCODER, likelihood=0.0, contrast=1.0, n_docs=2, batch=512, learning_rate=1e-3, refreshes=4, steps=340),
    reader=dict(seed=0, train=("generator",), n_docs=1, batch=128, learning_rate=1e-3, micro_batch=128, steps=340),
    rag=dict(seed=0, train=ALL, kind="token", contrast=0.5, n_docs=4, batch=64, learning_rate=dict(generator=5e-4, question_encoder=3e-4),
    micro_batch=128, refreshes=4, steps=520),
    sharper=dict(seed=3, train=ENCODER + ("score_scale",), likelihood=0.0, contrast=1.0, n_docs=3, batch=384,
                 learning_rate=dict(question_encoder=5e-4, score_scale=1e-2), refreshes=3, steps=200),
    both=dict(seed=4, train=ALL + ("score_scale",), kind="both", contrast=0.5, n_docs=3, batch=96,
              learning_rate=dict(generator=5e-4, question_encoder=2e-4, score_scale=5e-3), micro_batch=144, refreshes=3, steps=440))
CONFIG = dict(context_template="{title}\n{text}\n\nQuestion: {question}\nAnswer:", answer_prefix=" ", max_combined_length=448, n_docs=5,
    score_scale=20.0)
AFTERWARDS = dict(lexical_weight=0.03)  # the training searches by vectors alone; with this the finished model is better (bench/LOG.md)


def tables(data, limit=None):
    "Paragraphs and questions; with a limit, the first questions and the paragraphs they were asked about."
    import pyarrow.parquet as pq
    docs, train = (pq.read_table(Path(data)/f"{n}.parquet").to_pylist() for n in ("documents", "train"))
    if limit:
        train = train[::max(1, len(train)//limit)][:limit]
        asked = {q["document_id"] for q in train}
        docs = [d for d in docs if d["id"] in asked]
    return docs, train


def build(docs, device, start=(), score_scale=None):
    "The models as they come, or with adapters that were made before, over all paragraphs, each kept whole."
    from rag_nb import Rag, RagRetriever
    from rag_nb.demo.defaults import default_encoder, default_generator
    from rag_nb.core.passages import Passages
    encoder, (model, tokenizer) = default_encoder(device, trained=False), default_generator(device, trained=False)
    rows = [{k: d[k] for k in ("id", "title", "text")} for d in docs]
    over = lambda rows, encoder: RagRetriever.from_documents(Passages.from_documents(rows, n_words=None), encoder)
    model.rag_config = {}
    config = {**CONFIG, **({"score_scale": score_scale} if score_scale else {})}
    rag = Rag.from_parts(over(rows[:1] if start else rows, encoder), encoder, (model, tokenizer), eos_token_id=tokenizer.eos_token_id,
        **config)
    if not start: return rag
    for part in RANKS: setattr(rag.model.rag, part, _with_adapters(getattr(rag.model.rag, part), part, start))
    rag.model.eval()
    rag._take(over(rows, rag.encoder))  # embedded once, by the encoder with its adapters
    return rag


def _with_adapters(model, part, folders):
    from peft import PeftModel
    has = [f/part for f in folders if (f/part).is_dir()]
    return PeftModel.from_pretrained(model, str(has[0]), is_trainable=True, autocast_adapter_dtype=True) if has else model


def clock(began):
    "Seconds since the beginning in each line of the log, and on a GPU the largest memory so far."
    import torch
    from transformers import TrainerCallback
    class Clock(TrainerCallback):
        def on_log(self, args, state, control, **kwargs):
            state.log_history[-1]["seconds"] = round(time.time() - began, 2)
            if torch.cuda.is_available(): state.log_history[-1]["peak_gib"] = round(torch.cuda.max_memory_allocated()/2**30, 1)
    return Clock()


def stage(rag, name, train, out, steps, seed, **more):
    "One stage of the training; the lines of its log."
    from rag_nb.core.train import finetune
    s = {**STAGES[name], **more}
    batch, refreshes, seed = s.pop("batch"), s.pop("refreshes", 0), seed + s.pop("seed")
    s.pop("steps")
    began = time.time()
    common = dict(adapters=RANKS, include_gold=True, merge=False, max_steps=steps, seed=seed,
                  per_device_train_batch_size=max(1, min(batch, len(train))//PROCESSES),
                  reindex_every=math.ceil(steps/refreshes) if refreshes else None,
                  lr_scheduler_type="cosine", warmup_steps=min(100, steps//10), max_grad_norm=1.0, logging_steps=10,
                  bf16=rag.model.device.type == "cuda", use_cpu=rag.model.device.type == "cpu")
    done = finetune(rag, train, out/name, callbacks=[clock(began)], progress=FIRST, **{**common, **s})
    if FIRST: print(f"{name}: {steps} steps in {time.time()-began:.0f} s; {done}", flush=True)
    return [dict(line, stage=name) for line in done.log]


def ship(out):
    "Write out/trained, the folder that the package carries: adapters in half precision, settings, stages, log."
    from safetensors.torch import load_file, save_file
    names = dict(generator="HuggingFaceTB/SmolLM2-135M-Instruct", question_encoder="sentence-transformers/all-MiniLM-L6-v2")
    for part, name in names.items():
        to, of = out/"trained"/part, out/"adapters"/part
        if not of.is_dir(): continue
        to.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half() for k, v in load_file(of/"adapter_model.safetensors").items()}, to/"adapter_model.safetensors",
            metadata={"format": "pt"})
        facts = json.loads((of/"adapter_config.json").read_text())
        facts.update(base_model_name_or_path=name, target_modules=sorted(facts["target_modules"]))
        (to/"adapter_config.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    facts = json.loads((out/"config.json").read_text())
    (out/"trained"/"rag.json").write_text(json.dumps({**facts.pop("config"), **AFTERWARDS}, indent=1) + "\n")
    (out/"trained"/"training.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out/"trained"/"log.jsonl").write_text((out/"log.json").read_text())


def value(text):
    "A setting as it was meant: a number, a list, true, null; else the text."
    try: return json.loads(text)
    except ValueError: return text


def write(rag, out, log, facts):
    "What there is after a stage: adapters, configuration, log."
    out.mkdir(parents=True, exist_ok=True)
    for part in RANKS:
        net = getattr(rag.model.rag, part)
        if hasattr(net, "merge_and_unload"): net.save_pretrained(str(out/"adapters"/part))
    facts = {**facts, "config": dict(CONFIG, score_scale=rag.model.config.score_scale)}
    (out/"config.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out/"log.json").write_text("\n".join(map(json.dumps, log)) + "\n")


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data", type=Path); a.add_argument("--out", type=Path, required=True); a.add_argument("--device", default="cpu")
    a.add_argument("--steps", default=""); a.add_argument("--limit", type=int); a.add_argument("--seed", type=int, default=0)
    a.add_argument("--only", action="store_true", help="no stages but those of --steps")
    a.add_argument("--begin", type=Path, nargs="+", default=(), help="folders of adapters to go on from")
    a.add_argument("--score-scale", type=float)
    a.add_argument("--set", nargs="+", default=[], metavar="FIELD=VALUE", help="fields of the stages, such as kind=sequence")
    o = a.parse_args()
    import torch
    if PROCESSES > 1 and o.device == "cuda": o.device = f"cuda:{os.environ['LOCAL_RANK']}"; torch.cuda.set_device(o.device)
    steps = {n: 0 if o.only else s["steps"] for n, s in STAGES.items()} | {k: int(v)
        for k, v in (x.split("=") for x in o.steps.split(",") if x)}
    changed = {k: value(v) for k, v in (x.split("=", 1) for x in o.set)}
    torch.manual_seed(o.seed)
    docs, train = tables(o.data, o.limit)
    rag = build(docs, o.device, o.begin, o.score_scale)
    if FIRST: print(f"{len(docs):,} paragraphs, {len(train):,} questions, {PROCESSES} processes, {rag}", flush=True)
    facts = dict(stages=STAGES, steps=steps, changed=changed, ranks=RANKS, seed=o.seed, limit=o.limit, processes=PROCESSES,
        start=[str(s) for s in o.begin],
                 machine=torch.cuda.get_device_name() if o.device != "cpu" else "CPU")
    log = []
    for name in STAGES:
        if not steps[name]: continue
        log += stage(rag, name, train, o.out, steps[name], o.seed, **changed)
        if FIRST: write(rag, o.out, log, facts)
    if not log and FIRST: write(rag, o.out, log, facts)
    if FIRST: ship(o.out)
    if torch.cuda.is_available() and FIRST: print(f"peak memory {torch.cuda.max_memory_allocated()/2**30:.1f} GiB")
    if torch.distributed.is_initialized(): torch.distributed.destroy_process_group()


if __name__ == "__main__": main()
