"""The knowledge that comes with the package: SQuAD's 48 development articles as an index folder.

    python tools/make_demo_data.py DOCUMENTS.parquet [--out rag_nb/knowledge/squad48] [--questions DEV.parquet] [--threads N]

DOCUMENTS.parquet has the columns id, title, text and split, one row a paragraph; rows whose split is "dev" are taken. Paragraphs
are kept whole (they are what SQuAD's questions were asked about), embedded with the default encoder, and their vectors kept in
half precision: 2.3 MB in all. Two minutes on two cores. With --questions (columns question, document_id), it also says for how
many of 500 of them the right paragraph is found.
"""
import argparse, shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ARTICLES, PARAGRAPHS = 48, 2067

README = """# 48 Wikipedia articles

The 2,067 paragraphs of the 48 articles in the development set of SQuAD 1.1, the Stanford Question Answering Dataset
(Pranav Rajpurkar, Jian Zhang, Konstantin Lopyrev and Percy Liang: "SQuAD: 100,000+ Questions for Machine Comprehension
of Text", EMNLP 2016, <https://rajpurkar.github.io/SQuAD-explorer/>). Their text was written by the contributors of
Wikipedia, each article under the title given with it.

**Licence:** Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0, see LICENSE), unlike the code
around it. Whoever passes the text on names the source and keeps the licence.

**Changes:** the questions and answers are left out, and titles are written with spaces. Beside the text are vectors of 384 numbers, computed from
title and text by the default encoder (all-MiniLM-L6-v2 with the adapters in rag_nb/trained). `tools/make_demo_data.py` in the source tree makes this folder.
"""

LICENSE = """The text in this folder is licensed under the
Creative Commons Attribution-ShareAlike 4.0 International licence (CC BY-SA 4.0).

A summary: https://creativecommons.org/licenses/by-sa/4.0/
The licence: https://creativecommons.org/licenses/by-sa/4.0/legalcode

You may share and adapt it, also commercially, if you give appropriate credit, link to the licence, say what you
changed, and distribute your contributions under the same licence.

Source: SQuAD 1.1, the Stanford Question Answering Dataset, and through it Wikipedia and its contributors.
"""


def paragraphs(path):
    "The development paragraphs as documents, in the file's order."
    import pyarrow.parquet as pq
    rows = pq.read_table(path, columns=["id", "title", "text"], filters=[("split", "=", "dev")]).to_pylist()
    found = len({r["title"] for r in rows}), len(rows)
    if found != (ARTICLES, PARAGRAPHS):
        raise SystemExit(f"{path} has {found[1]} paragraphs of {found[0]} articles, not {PARAGRAPHS} of {ARTICLES}: is it the right file?")
    return rows


def build(rows, out):
    "Embed the paragraphs and write the index folder with its licence beside it."
    from rag_nb.demo.defaults import default_encoder
    from rag_nb.store.folder import IndexFolder
    from rag_nb.core.passages import Passages
    encoder = default_encoder()
    vectors = encoder.encode(rows, "passage", progress=True)  # (N, 384)
    passages = Passages.from_documents(rows, n_words=None)  # whole
    shutil.rmtree(out, ignore_errors=True)
    record = dict(name=encoder.name, spec=encoder.spec.to_dict(), probe=encoder.fingerprint())
    IndexFolder.create(out, passages, vectors, dtype="float16", encoder=record)
    (out/"README.md").write_text(README, encoding="utf8")
    (out/"LICENSE").write_text(LICENSE, encoding="utf8")


def recall(path, folder, n=500, seed=0):
    "The share of `n` questions whose paragraph is the first, among the first five, among the first twenty."
    import numpy as np, pyarrow.parquet as pq
    from rag_nb.demo.defaults import default_encoder
    from rag_nb.store.folder import IndexFolder
    rows, index = pq.read_table(path, columns=["question", "document_id"]).to_pylist(), IndexFolder.open(folder)
    rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))[:n]]
    hits = index.index().search(default_encoder().encode([r["question"] for r in rows]), 20)
    ids = np.array(index.passages.column("id"))[np.asarray(hits.ids)]  # (B, 20)
    found = ids == np.array([r["document_id"] for r in rows])[:, None]
    return {k: found[:, :k].any(1).mean() for k in (1, 5, 20)}


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("documents", type=Path); a.add_argument("--out", type=Path, default=ROOT/"rag_nb/knowledge/squad48")
    a.add_argument("--questions", type=Path)
    a.add_argument("--threads", type=int)
    o = a.parse_args()
    if o.threads:
        import torch
        torch.set_num_threads(o.threads)
    build(paragraphs(o.documents), o.out)
    size = sum(p.stat().st_size for p in o.out.rglob("*") if p.is_file())
    print(f"{o.out}: {PARAGRAPHS:,} paragraphs of {ARTICLES} articles, {size/1e6:.2f} MB")
    if o.questions: print("recall " + ", ".join(f"@{k} {r:.3f}" for k, r in recall(o.questions, o.out).items()))


if __name__ == "__main__": main()
