"""Fit `answer.support` for the default: python tools/train_support.py DATA --out DIR [--device cuda] [--limit N] [--dev N]

DATA has documents.parquet (id, title, text), train.parquet and dev.parquet (question, answers, document_id). Every question is asked over
all paragraphs three times: as they are, without its own paragraph, and without its whole article. On the answers to training questions
a linear probe (state behind layer 20, one document: is it the question's own?) and two logistic models are fitted, in the form that
rag_nb/trained/support carries; on development questions, --dev of them, both are measured. --limit is how many training questions are
asked, spread over the file. Half of the weight is on answerable questions, a quarter on each kind of missing. Seed: none is needed,
nothing is drawn. Time: about 20 ms an answer on one H200, two seconds on two cores.
"""
import argparse, json, os, sys
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
LAYER, K, DEEP = 20, 5, 200
SETTINGS = ("whole", "paragraph", "article")


def asked(rag, questions, titles, batch):
    "For every question and setting: evidence, states (K, d), which documents are the question's own, the setting, the article."
    from tqdm.auto import tqdm
    from rag_nb.core.evaluate import _found
    from rag_nb.trust.support import evidence_of
    rows, keep = [], {}
    def attach(answer, states, min_support):
        answer.guess = answer.text
        keep[id(answer)] = states
    rag._attach = attach
    for i in tqdm(range(0, len(questions), batch), desc="asking", unit=" batches"):
        part = questions[i:i+batch]
        hits = _found(rag, [q["question"] for q in part], min(DEEP, len(rag.retriever)))
        for setting in SETTINGS:
            picked = [read(hits[b], q["document_id"], titles, setting) for b, q in enumerate(part)]
            for q, h in zip(part, picked):
                a = rag.ask(q["question"], hits=h)
                own = [p["document"] == q["document_id"] for p in h.passages[0]]
                rows.append((evidence_of(a), keep.pop(id(a)).numpy(), own, setting, titles[q["document_id"]]))
    del rag._attach
    return rows


def read(hits, own, titles, setting):
    "The first K that a setting leaves in the index."
    gone = {"whole": lambda p: False, "paragraph": lambda p: p["document"] == own,
            "article": lambda p: titles[p["document"]] == titles[own]}[setting]
    return hits.keep([k for k, p in enumerate(hits.passages[0]) if p and not gone(p)][:K])


def probe(rows, ridge=100.):
    "The verifier, and for every row its log-odds from a fit that has not seen the row's article."
    import numpy as np
    from rag_nb.trust.support import Verifier, logistic
    X, y = np.concatenate([r[1] for r in rows]).astype(float), np.concatenate([r[2] for r in rows])
    at = np.repeat(np.arange(len(rows)), [len(r[2]) for r in rows])
    names = {t: i for i, t in enumerate(sorted({r[4] for r in rows}))}
    fold = np.array([names[r[4]] % 5 for r in rows])[at]
    def fit(rows):
        mean, scale, weight, bias = logistic(X[rows], y[rows], ridge=ridge)
        return weight/scale, bias - float(mean/scale @ weight)
    odds = np.zeros(len(X))
    for f in range(5):
        if not (fold == f).any(): continue
        w, b = fit(fold != f)
        odds[fold == f] = X[fold == f] @ w + b
    return Verifier(LAYER, *fit(slice(None))), [odds[at == i] for i in range(len(rows))]


def fitted(rows, odds, about, general=False, **facts):
    "A model of support: on every feature, or on those without a unit."
    from dataclasses import replace
    import numpy as np
    from rag_nb.trust.support import _shares, features, support_model
    evidence, settings = [replace(r[0], verified=o) for r, o in zip(rows, odds)], np.array([r[3] for r in rows])
    names = [n for n in features(evidence[0]) if n not in ("verified_top", "verified_mean")]
    if general: names = list(_shares(evidence[0], 0))
    return support_model(evidence, settings == "whole", names, np.where(settings == "whole", 1., .5), about=about, **facts)


def measured(model, rows):
    "AUROC, refused at 95 %, threshold and ECE in both settings."
    import numpy as np
    from dataclasses import replace
    import torch
    from rag_nb.trust.refusal import auroc, calibration_error, refused
    see = lambda r: replace(r[0], verified=model.verifier(torch.from_numpy(r[1])).numpy()) if model.verifier else r[0]
    s, settings, out = model([see(r) for r in rows]), np.array([r[3] for r in rows]), {}
    for missing in SETTINGS[1:]:
        m = (settings == "whole") | (settings == missing)
        y = settings[m] == "whole"
        share, threshold = refused(s[m], y)
        out[missing] = dict(auroc=auroc(s[m], y), refused=share, threshold=threshold, ece=calibration_error(s[m], y), n=int(m.sum()))
    return out


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("data", type=Path); a.add_argument("--out", type=Path, required=True); a.add_argument("--device", default="cpu")
    a.add_argument("--limit", type=int, default=6000); a.add_argument("--dev", type=int, default=5208)
    a.add_argument("--batch", type=int, default=64)
    o = a.parse_args()
    import pyarrow.parquet as pq
    from rag_nb import Rag, RagRetriever
    from rag_nb.core.passages import Passages
    from rag_nb.trust.support import Rerank, save_support
    table = lambda name: pq.read_table(o.data/f"{name}.parquet").to_pylist()
    docs, spread = table("documents"), lambda rows, n: rows[::max(1, len(rows)//n)][:n]
    rag = Rag.demo(device=o.device, dtype="auto")
    passages = Passages.from_documents([{k: d[k] for k in ("id", "title", "text")} for d in docs], n_words=None)
    rag = rag.with_retriever(RagRetriever.from_documents(passages, rag.encoder))
    rag.model.generator.probe_layer = LAYER
    titles = {d["id"]: d["title"] for d in docs}
    about = (f"on {{:,}} SQuAD 1.1 training questions over {len(docs):,} paragraphs, {K} documents, each also without its paragraph "
             "and without its article")
    train, dev = (spread(table(name), n) for name, n in (("train", o.limit), ("dev", o.dev)))
    about = about.format(len(train))
    rag.model.generator.rerank = None                        # first as any generator: prior and candidates by the search alone
    rows = asked(rag, train, titles, o.batch)
    verifier, odds = probe(rows)
    models = {"general": fitted(rows, odds, f"the general model, fitted with the default generator {about}; for another generator an order "
                                "rather than a probability, until rag.fit_support(questions)", general=True, fitted=False)}
    rag.model.generator.rerank = Rerank(verifier)            # then as the default answers
    rows = asked(rag, train, titles, o.batch)
    models["default"] = fitted(rows, odds, f"fitted for the default encoder and generator {about}", verifier=verifier)
    o.out.mkdir(parents=True, exist_ok=True)
    for name, model in models.items(): save_support(model, o.out/f"{name}.json")
    if not o.dev: return
    rows = asked(rag, dev, titles, o.batch)
    found = {"default": measured(models["default"], rows)}
    (o.out/"measures.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__": main()
