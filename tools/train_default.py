"""Train the models that answer by default: adapters for all-MiniLM-L6-v2 and SmolLM2-135M-Instruct, RAG-Token on SQuAD.

    python tools/train_default.py DATA --out DIR [--device cuda] [--steps retriever=340,reader=340,...] [--start ADAPTERS]

DATA is a folder with documents.parquet (id, title, text) and train.parquet (question, answers, document_id). The knowledge is
every paragraph of documents.parquet; only questions of train.parquet are learnt. Stages, one after another, in `STAGES`:

  retriever  the encoder of questions and passages, contrastively: a question's paragraph against the batch and what a search finds
  reader     the generator on each question's own paragraph
  rag        both together: RAG-Token over what is found, the vectors of all paragraphs made anew on the way
  sharper    the encoder and the score scale once more, against more of what is found wrongly
  both       everything together, on the mean of RAG-Token's and RAG-Sequence's likelihood

DIR then holds adapters/ (peft), log.json, config.json, and trained/, which is what the package carries as rag_nb/trained. --start goes on from adapters that were made before, with the stages whose
steps are not 0. --limit N keeps N questions and their paragraphs, to try it out.
"""
import argparse, json, math, os, time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
RANKS = dict(generator=32, question_encoder=32)
ENCODER, ALL = ("question_encoder", "passage_encoder"), ("generator", "question_encoder", "passage_encoder")
STAGES = dict(
    retriever=dict(seed=0, train=ENCODER, likelihood=0.0, contrast=1.0, n_docs=2, batch=512, learning_rate=1e-3, refreshes=4, steps=340),
    reader=dict(seed=0, train=("generator",), n_docs=1, batch=128, learning_rate=1e-3, rows=128, steps=340),
    rag=dict(seed=0, train=ALL, kind="token", contrast=0.5, n_docs=4, batch=64, learning_rate=dict(generator=5e-4, question_encoder=3e-4), rows=128, refreshes=4, steps=520),
    sharper=dict(seed=3, train=ENCODER + ("score_scale",), likelihood=0.0, contrast=1.0, n_docs=3, batch=384,
                 learning_rate=dict(question_encoder=5e-4, score_scale=1e-2), refreshes=3, steps=200),
    both=dict(seed=4, train=ALL + ("score_scale",), kind="both", contrast=0.5, n_docs=3, batch=96,
              learning_rate=dict(generator=5e-4, question_encoder=2e-4, score_scale=5e-3), rows=144, refreshes=3, steps=440))
CONFIG = dict(context_template="{title}\n{text}\n\nQuestion: {question}\nAnswer:", answer_prefix=" ", max_combined_length=448, n_docs=5, score_scale=20.0)
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


def build(docs, device, start=None, score_scale=None):
    "The models as they come, or with adapters that were made before, over all paragraphs, each kept whole."
    from rag_nb import Rag, RagRetriever
    from rag_nb.demo import default_encoder, default_generator
    from rag_nb.passages import Passages
    encoder, (model, tokenizer) = default_encoder(device, trained=False), default_generator(device, trained=False)
    passages = Passages.from_documents([{k: d[k] for k in ("id", "title", "text")} for d in docs], n_words=None)
    model.rag_config = {}
    config = {**CONFIG, **({"score_scale": score_scale} if score_scale else {})}
    rag = Rag.from_parts(RagRetriever.from_documents(passages, encoder), encoder, (model, tokenizer), eos_token_id=tokenizer.eos_token_id, **config)
    if not start: return rag
    rag.model.rag.question_encoder = _with_adapters(encoder.model, start/"question_encoder")
    rag.model.rag.generator = _with_adapters(model, start/"generator")
    rag.model.eval()
    rag._take(RagRetriever.from_documents(passages, rag.encoder))
    return rag


def _with_adapters(model, folder):
    from peft import PeftModel
    return PeftModel.from_pretrained(model, str(folder), is_trainable=True, autocast_adapter_dtype=True)


def stage(rag, name, train, out, steps, seed, **more):
    "One stage of the training; the lines of its log."
    from rag_nb.train import finetune
    s = {**STAGES[name], **more}
    batch, refreshes, seed = s.pop("batch"), s.pop("refreshes", 0), seed + s.pop("seed")
    s.pop("steps")
    began = time.time()
    done = finetune(rag, train, out/name, adapters=RANKS, include_gold=True, merge=False, max_steps=steps, seed=seed,
                    per_device_train_batch_size=min(batch, len(train)), refresh_every=math.ceil(steps/refreshes) if refreshes else None,
                    lr_scheduler_type="cosine", warmup_steps=min(100, steps//10), max_grad_norm=1.0, logging_steps=10,
                    bf16=rag.model.device.type == "cuda", use_cpu=rag.model.device.type == "cpu",
                    **s)
    print(f"{name}: {steps} steps in {time.time()-began:.0f} s; {done}", flush=True)
    return [dict(line, stage=name) for line in done.log]


def ship(out):
    "Write out/trained, the folder that the package carries: adapters in half precision, settings, stages, log."
    from safetensors.torch import load_file, save_file
    names = dict(generator="HuggingFaceTB/SmolLM2-135M-Instruct", question_encoder="sentence-transformers/all-MiniLM-L6-v2")
    for part, name in names.items():
        to, of = out/"trained"/part, out/"adapters"/part
        if not of.is_dir(): continue
        to.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half() for k, v in load_file(of/"adapter_model.safetensors").items()}, to/"adapter_model.safetensors", metadata={"format": "pt"})
        facts = json.loads((of/"adapter_config.json").read_text())
        facts.update(base_model_name_or_path=name, target_modules=sorted(facts["target_modules"]))
        (to/"adapter_config.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")
    facts = json.loads((out/"config.json").read_text())
    (out/"trained"/"rag.json").write_text(json.dumps({**facts.pop("config"), **AFTERWARDS}, indent=1) + "\n")
    (out/"trained"/"training.json").write_text(json.dumps(facts, indent=1) + "\n")
    (out/"trained"/"log.jsonl").write_text((out/"log.json").read_text())


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data", type=Path); a.add_argument("--out", type=Path, required=True); a.add_argument("--device", default="cpu")
    a.add_argument("--steps", default=""); a.add_argument("--limit", type=int); a.add_argument("--seed", type=int, default=0)
    a.add_argument("--start", type=Path, help="a folder of adapters to go on from"); a.add_argument("--score-scale", type=float)
    o = a.parse_args()
    import torch
    steps = {n: s["steps"] for n, s in STAGES.items()} | {k: int(v) for k, v in (x.split("=") for x in o.steps.split(",") if x)}
    torch.manual_seed(o.seed)
    docs, train = tables(o.data, o.limit)
    rag = build(docs, o.device, o.start, o.score_scale)
    print(f"{len(docs):,} paragraphs, {len(train):,} questions, {rag}", flush=True)
    log = []
    for name in STAGES:
        if not steps[name]: continue
        log += stage(rag, name, train, o.out, steps[name], o.seed)
        for part in ("generator", "question_encoder"):
            net = getattr(rag.model.rag, part)
            if hasattr(net, "merge_and_unload"): net.save_pretrained(str(o.out/"adapters"/part))
        facts = dict(stages=STAGES, steps=steps, ranks=RANKS, config=dict(CONFIG, score_scale=rag.model.config.score_scale), seed=o.seed, limit=o.limit, machine=torch.cuda.get_device_name() if o.device != "cpu" else "CPU")
        (o.out/"config.json").write_text(json.dumps(facts, indent=1) + "\n")
        (o.out/"log.json").write_text("\n".join(map(json.dumps, log)) + "\n")
    ship(o.out)
    if torch.cuda.is_available(): print(f"peak memory {torch.cuda.max_memory_allocated()/2**30:.1f} GiB")


if __name__ == "__main__": main()
