"""Hostile input, at every door: it is taken, or refused by an error that explains itself, and nothing else happens.

    python -m tests.faults.fuzz                    a few thousand inputs, under a minute
    python -m tests.faults.fuzz --full             more than 100,000 (a quarter of an hour on one core)
    python -m tests.faults.fuzz --only pickles --inputs 20000 --seed 7
    python -m tests.faults.fuzz --atheris pickles  guided by coverage, where atheris is installed

Each door has a child process of its own, guarded (`guard.py`): whatever runs a program, talks to a network, or reads or writes outside
one temporary folder fails the run, and so does memory beyond a gigabyte. What may be raised is ValueError, TypeError, OSError and their
kin, on purpose (from a line that raises, or from a library) and, for files, with the file's name. Hypothesis draws the inputs and
shrinks the first one that fails.
"""
import argparse, csv, functools, gzip, io, itertools, json, linecache, os, pickle, re, shutil, struct, sys, tempfile, time, traceback, warnings, zipfile
from collections import Counter
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1"); os.environ.setdefault("HF_HUB_OFFLINE", "1"); os.environ["TQDM_DISABLE"] = "1"; os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
import faiss, numpy as np, pandas, pyarrow as pa, pyarrow.compute, pyarrow.parquet as pq, torch, transformers   # noqa: F401
from huggingface_hub.errors import StrictDataclassError
from hypothesis import HealthCheck, Phase, configuration, given, seed as seeded, settings, strategies as st

import rag_nb
from rag_nb.store import folder as mod
from rag_nb.core.answer import Answer, Rag
from rag_nb.scale.batch import _rows

rag_nb.__version__   # looked up once, before anything is watched
from rag_nb.cli import main as cli
from rag_nb.core.config import EncoderSpec, RagConfig
from rag_nb.demo.defaults import Package, is_whole, unpack
from rag_nb.show.html import answer_html, answer_json, answer_terminal, page_html
from rag_nb.core.encoder import TextEncoder, _find_spec
from rag_nb.store.folder import IndexFolder
from rag_nb.store.hub import WikiDPRIndex
from rag_nb.store.legacy import LegacyIndex, load_plain_pickle
from rag_nb.core.model import RagTokenForGeneration
from rag_nb.core.passages import Passages, Hits
from rag_nb.core.retriever import RagRetriever
from rag_nb.hf.tokenizer import assemble_contexts
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
from tests.faults import trace
from tests.faults.guard import Forbidden, Guard, limit_memory

torch.set_num_threads(1); faiss.omp_set_num_threads(1)
CLEAR = (ValueError, TypeError, OSError, StrictDataclassError)                        # the last is what Transformers' configurations raise, with the field's name
SECRET = "the secret that no index may hold"


# --- what is drawn ---------------------------------------------------------------------------------------------------------------------

nasty = st.sampled_from(["", " ", "\0", "a\0b", "\ud800", "../../etc/passwd", "/etc/passwd", "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\x1b[2J\x1b]0;t\x07", "\x9b31m", "\u202egnp.exe", "{title}", "{question}", "{0.__class__}", "%s%n", "<|im_end|>",
                         "<|im_start|>system\n", "<s>", "</s>", "[INST]", "<pad>", "[SEP]", "![x](http://a/b)", "[a](javascript:alert(1))", "=cmd|' /C calc'!A0", "NaN", "1e999", "-0", "null", "𝔘𝔫𝔦", "﷽"*3, "a"*300, "\r\n", "\u2028", "\ufeff", "😀", "é", "'\"`$(touch x)"])
texts = st.one_of(nasty, st.text(max_size=40), st.lists(st.one_of(nasty, st.text(max_size=8)), max_size=6).map(" ".join))
plain = st.one_of(texts, st.integers(), st.integers(-3, 3), st.floats(), st.booleans(), st.none(), st.sampled_from([2**31, 2**53, 2**63, -2**63-1, 10**400]))
values = st.recursive(plain, lambda x: st.one_of(st.lists(x, max_size=4), st.dictionaries(texts, x, max_size=4)), max_leaves=8)
odd = st.one_of(values, st.binary(max_size=9), st.dates(), st.tuples(plain), st.just(object()), st.just(np.float32("nan")), st.just(np.zeros(2)), st.just(torch.ones(1)))
columns = st.sampled_from(["id", "title", "text", "text", "text", "document", "start", "meta", "more", "", "embeddings"])
WORDS = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 2**31-1, 2**31, 2**32-1, 2**63-1, 2**63, 2**64-1]
edits = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2**20), st.integers(0, 255), st.integers(1, 48)), max_size=5)

def edited(data, changes):
    "Bytes with some of them changed, lost, doubled or replaced by numbers at the edge."
    b = bytearray(data)
    for kind, at, value, n in changes:
        i = at % (len(b) + 1)
        if kind == 0 and b: b[i % len(b)] ^= 1 << (value % 8)
        elif kind == 1 and b: b[i % len(b)] = value
        elif kind == 2: b[i:i] = bytes([value])*n
        elif kind == 3: del b[i:i+n]
        elif kind == 4: del b[i if value < 64 else max(0, len(b)-n):]
        elif kind == 5: b[i:i] = b[i:i+n]
        elif kind == 6: w = struct.pack("<Q", WORDS[value % len(WORDS)])[:1 << (n % 4)]; b[i:i+len(w)] = w
        elif kind == 7: w = struct.pack(">Q", WORDS[value % len(WORDS)])[-(1 << (n % 4)):]; b[i:i+len(w)] = w
        elif kind == 8: j = value*n % (len(b) + 1); b[i:i+n] = b[j:j+n]
    return bytes(b)

def from_bytes(*seeds): return st.one_of(st.tuples(st.sampled_from(seeds), edits).map(lambda x: edited(*x)), st.binary(max_size=60))

def edited_tree(tree, changes):
    "A JSON value in which some places are replaced, removed or renamed."
    tree = json.loads(json.dumps(tree))
    for at, how, new, name in changes:
        places = [(p, k) for p in _nodes(tree) for k in (list(p) if isinstance(p, dict) else range(len(p)))]
        if not places: break
        parent, key = places[at % len(places)]
        if how == 0: del parent[key]
        elif how == 1 and isinstance(parent, dict): parent[name] = parent.pop(key)
        elif how == 2: parent[key] = json.loads(json.dumps(places[(at*7 + 3) % len(places)][0]))
        else: parent[key] = new
        tree = json.loads(json.dumps(tree))
    return tree

def _nodes(x):
    if isinstance(x, (dict, list)):
        yield x
        for v in list(x.values() if isinstance(x, dict) else x): yield from _nodes(v)

def tree_edits(most=4): return st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 5), values, texts), min_size=1, max_size=most)
def from_trees(*trees): return st.tuples(st.sampled_from(trees), tree_edits()).map(lambda x: edited_tree(*x))


# --- the doors -------------------------------------------------------------------------------------------------------------------------

@dataclass
class Door:
    "What is drawn, and what looks at it: called with a place to write in, and what was drawn."
    drawn: object
    look: object
    inputs: int            # in the full form
    name: str = None       # a file's name that errors have to say

DOORS = {}
def door(inputs, drawn, name=None):
    def add(f): DOORS[f.__name__.replace("_", " ").strip()] = Door(drawn, f, inputs, name); return f
    return add

def put(place, name, data): (place/name).write_bytes(data); return place/name

def taken(docs):
    "Passages of documents are pieces of them, and nothing is in them that was outside."
    passages = Passages.from_documents(docs)
    assert len(passages) and all(isinstance(p["text"], str) and p["text"].strip() and p["end"] - p["start"] == len(p["text"]) for p in passages)
    assert SECRET not in " ".join(passages.column("text"))
    return passages

@door(8000, st.one_of(st.lists(st.one_of(texts, st.dictionaries(columns, odd, max_size=4), st.builds(lambda t, x, i: {"id": i, "title": t, "text": x}, texts, texts, odd), odd), max_size=5), odd))
def documents(place, drawn):
    found = taken(drawn)
    found.save(place/"p.parquet"); assert list(Passages.open(place/"p.parquet")) == list(found)

GOOD = [{"id": "a", "title": "Tides", "text": "The sea rises, and falls.", "year": 1843}, {"id": "b", "text": "Ink \"dries\",\nand darkens.", "title": None}, {"text": "Salt", "n": 1.5, "ok": True}]
def _csv(delimiter=","):
    f = io.StringIO(); w = csv.DictWriter(f, ["id", "title", "text"], extrasaction="ignore", delimiter=delimiter); w.writeheader(); w.writerows(GOOD)
    return f.getvalue().encode()
JSONL = "\n".join(map(json.dumps, GOOD)).encode()

@door(14000, st.one_of(from_bytes(JSONL, JSONL.replace(b"\n", b"\r\n"), b'{"text": "\\ud800"}', b'{"text": "a", "x": 1' + b"0"*4400 + b"}", b"[" * 60000), st.lists(values, max_size=4).map(lambda x: "\n".join(map(json.dumps, x)).encode("utf8", "surrogatepass"))), "d.jsonl")
def _jsonl(place, drawn): taken(put(place, "d.jsonl", drawn))

@door(8000, st.one_of(from_bytes(json.dumps(GOOD).encode(), b'["a", {"text": "b"}]'), from_trees(GOOD).map(lambda x: json.dumps(x).encode())), "d.json")
def _json(place, drawn): taken(put(place, "d.json", drawn))

@door(9000, st.tuples(st.sampled_from(["d.csv", "d.tsv"]), from_bytes(_csv(), _csv("\t"), b"text\n\"" + b"a"*200_000)))
def csv_and_tsv(place, drawn): taken(put(place, *drawn))

NOTEBOOK = json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ["# A\n", "b"]}, {"cell_type": "code", "source": "1"}]}).encode()
FRONT = b"---\ntitle: &a [x, *a]\ndate: 2024-01-02\n---\n# Head\n```sh\n# no\n```\nTwo\n===\n"
PAGE = b"<html><head><title>T</title><meta charset=latin1></head><body><h1>Head</h1><pre> a\n b</pre><table><tr><td>1<td>2</table><script>no()</script><p>\xe9"
@door(9000, st.one_of(st.tuples(st.sampled_from(["d.md", "d.rst", "d.txt"]), from_bytes(FRONT, b"Title\n=====\n\ntext", b"+++\ntitle = 'x'\n+++\ntext")), st.tuples(st.just("d.html"), from_bytes(PAGE)), st.tuples(st.just("d.ipynb"), from_bytes(NOTEBOOK)),
                      st.tuples(st.sampled_from(["d.jsonl.gz", "d.csv.gz", "d.md.gz"]), from_bytes(gzip.compress(JSONL), gzip.compress(_csv()), gzip.compress(FRONT)))))
def other_texts(place, drawn): taken(put(place, *drawn))

def _parquet(table, **kw): f = io.BytesIO(); pq.write_table(table, f, **kw); return f.getvalue()
_T = {"text": ["one two", "three", "four"]*5, "title": ["a", None, "c"]*5, "id": [str(i) for i in range(15)]}
PARQUETS = [_parquet(pa.table(_T)), _parquet(pa.table(_T), compression="zstd", row_group_size=4), _parquet(pa.table({**_T, "n": range(15), "v": [[1., 2.]]*15}), compression="none", use_dictionary=False),
            _parquet(pa.table({"text": pa.array(["x"]).dictionary_encode()})), _parquet(pa.table({"text": [1, 2]})), _parquet(pa.table({"text": pa.array(["a"], pa.large_string())}), version="1.0")]

@door(5000, from_bytes(*PARQUETS), "d.parquet")
def parquet_documents(place, drawn): taken(put(place, "d.parquet", drawn))

@door(5000, from_bytes(*PARQUETS), "p.parquet")
def parquet_passages(place, drawn):
    p = Passages.open(put(place, "p.parquet", drawn))
    assert all(isinstance(x["text"], (str, type(None))) for x in p[:20]) and len(p.column("title")) == len(p)

names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(lambda n: n not in (".", "..") and len(n.encode()) < 200)
@door(2500, st.lists(st.tuples(st.one_of(names.map(lambda n: n + ".md"), names.map(lambda n: n + ".txt"), names), st.one_of(from_bytes(b"# Tides\n\nThe sea.", "Ä\r\n# x #\r\n".encode()), texts.map(lambda t: t.encode("utf8", "replace"))), st.sampled_from(["file", "file", "link", "folder link", "below", "pipe"])), min_size=1, max_size=4))
def folders_of_texts(place, drawn):
    outside, docs = place/"outside", place/"docs"
    outside.mkdir(); docs.mkdir(); (outside/"secret.md").write_text(SECRET)
    for i, (name, data, kind) in enumerate(drawn):
        if kind == "below": (docs/f"s{i}").mkdir(); (docs/f"s{i}"/name).write_bytes(data)
        elif (docs/name).exists() or (docs/name).is_symlink(): pass
        elif kind == "file": (docs/name).write_bytes(data)
        elif kind == "link": (docs/name).symlink_to(outside/"secret.md")
        elif kind == "folder link": (docs/name).symlink_to(outside)
        else: os.mkfifo(docs/name)
    taken(docs)

PICKLES = [pickle.dumps(x, p) for p in range(6) for x in ({str(i): (f"text {i}", f"title {i}") for i in range(5)}, [str(i) for i in range(9)], {"a": [1, 2.5, None, True, b"x", (1,), {2}, -2**70]})]
class _Runs:
    def __init__(self, *call): self.call = call
    def __reduce__(self): return self.call
PICKLES += [pickle.dumps([1, _Runs(*call)], p) for p in range(6) for call in ((os.system, ("touch ran",)), (eval, ("open('ran', 'w')",)), (getattr, ("x", "upper")))]
@door(25000, from_bytes(*PICKLES, b"cos\nsystem\n(S'touch ran'\ntR.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.", b"\x80\x02\x8b\xff\xff\xff\x7f1.", b"I" + b"9"*5000 + b"\n."), "p.pkl")
def pickles(place, drawn):
    only_data(load_plain_pickle(put(place, "p.pkl", drawn)))

def only_data(x, seen=None):
    "Nothing but plain containers and numbers came out, however it is tangled."
    seen, todo = set(), [x]
    while todo:
        x = todo.pop()
        if id(x) in seen: continue
        seen.add(id(x))
        assert type(x) in (list, dict, tuple, set, str, bytes, int, float, bool, type(None)), type(x)
        if isinstance(x, dict): todo += [*x.keys(), *x.values()]
        elif isinstance(x, (list, tuple, set)): todo += [*x]

@functools.cache
def _folder(kind="hnsw"):
    "A small index folder as {name: bytes}."
    with tempfile.TemporaryDirectory() as d:
        p = Passages.from_documents([{"id": f"d{i}", "title": f"T{i}", "text": f"text number {i}"} for i in range(40)])
        v = np.random.default_rng(0).standard_normal((42, 6)).astype(np.float32)
        f = IndexFolder.create(Path(d)/"f", p, v[:40], {"name": "e", "spec": {}, "probe": [.1]}, index_kind=kind)
        f.append(Passages.from_documents([{"id": f"e{i}", "text": "later"} for i in range(2)]), v[40:]).delete([3])
        return {n.name: n.read_bytes() for n in sorted(f.path.iterdir()) if n.name != ".lock"}

def unpacked(place, files):
    (place/"f").mkdir()
    for n, b in files.items(): (place/"f"/n).write_bytes(b)
    (place/"evil").write_text(SECRET); (place/"f"/"link").symlink_to(place/"evil")
    return place/"f"

def used(folder):
    "Everything that one does with a folder from a stranger."
    index = folder.index()
    hits = index.search(np.ones((2, index.dim), np.float32), 5).with_passages(folder.passages)
    assert not (folder.deleted is not None and folder.deleted[hits.ids[hits.mask].numpy()].any())
    return list(folder.passages)

FOLDER = _folder()
@door(5000, st.tuples(from_trees(json.loads(FOLDER["manifest.json"])), st.booleans(), st.one_of(st.just(None), edits)), "f")
def manifests(place, drawn):
    m, forged, changes = drawn
    if forged and isinstance(m, dict):
        try: m["checksum"] = mod._checksum(m)
        except ValueError: pass
    data = json.dumps(m).encode()
    unpacked(place, {**FOLDER, "manifest.json": edited(data, changes) if changes else data})
    used(IndexFolder.open(place/"f"))

@door(3000, st.tuples(st.sampled_from(["hnsw", "faiss-flat", "exact", "ivf"]), st.sampled_from([n for n in FOLDER if n not in ("manifest.json", "index.faiss")]), edits), "f")   # what FAISS does with a forged file of its own is not promised: SECURITY.md
def index_folders_with_fitting_checksums(place, drawn):
    kind, name, changes = drawn
    files = dict(_folder() if kind == "hnsw" else _ivf() if kind == "ivf" else _folder(kind))
    name = name if name in files else "embeddings.npy"
    files[name] = edited(files[name], changes)
    m = json.loads(files["manifest.json"])
    m["files"][name] = {"size": len(files[name]), "sha256": mod.hashlib.sha256(files[name]).hexdigest()}
    files["manifest.json"] = json.dumps({**m, "checksum": mod._checksum(m)}).encode()
    used(IndexFolder.open(unpacked(place, files)))

_PLACES = st.one_of(st.sampled_from([*FOLDER, "config.json", "sub/x", "sub/deep/x", "index/manifest.json", ".saved/x", ".lock"]), names)

@door(3000, st.tuples(st.lists(st.tuples(_PLACES, st.sampled_from(["file", "file", "file", "link", "folder link", "pipe", "folder"]), edits), max_size=5), st.sampled_from(["folder"]*6 + ["link", "file"]), st.sampled_from([None, None, "sub", "index"])), ".saved")
def interrupted_saves(place, drawn):
    files, itself, link = drawn
    f = unpacked(place, FOLDER); saved = f/mod.SAVED
    (place/"out").mkdir(); put(place, "out/x", SECRET.encode())
    if link: (f/link).symlink_to(place/"out")
    if itself == "link": saved.symlink_to(place/"out")
    elif itself == "file": saved.write_bytes(b"x")
    else:
        saved.mkdir()
        for name, kind, changes in files:
            to = saved/name
            if os.path.lexists(to) or os.path.realpath(to.parent) != str(Path(os.path.realpath(saved), name).parent): continue     # through a link: ours to avoid
            try:
                to.parent.mkdir(parents=True, exist_ok=True)
                if kind == "file": to.write_bytes(edited(FOLDER.get(name, b"{}"), changes))
                elif kind == "folder": to.mkdir()
                elif kind == "pipe": os.mkfifo(to)
                else: to.symlink_to(place/"out"/("x" if kind == "link" else ""))
            except OSError: pass                                                          # two of them in one place
    try: used(IndexFolder.open(f))
    except ValueError as e: raise ValueError(f".saved, or what came of it: {e}") from e
    finally: assert os.listdir(place/"out") == ["x"] and (place/"out/x").read_text() == SECRET

@functools.cache
def _ivf():
    with tempfile.TemporaryDirectory() as d, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        p = Passages.from_documents([{"id": f"d{i}", "text": f"text number {i}"} for i in range(40)])
        f = IndexFolder.create(Path(d)/"f", p, np.random.default_rng(0).standard_normal((40, 6)).astype(np.float32), {"name": "e"}, index_kind="faiss", factory="IVF4,PQ3x4")
        f.delete([3])
        return {n.name: n.read_bytes() for n in sorted(f.path.iterdir()) if n.name != ".lock"}

_NPY = FOLDER["embeddings.npy"]
@door(12000, from_bytes(_NPY, _NPY.replace(b"<f4", b"|O8"), _NPY.replace(b"(40, 6)", b"(9**9)"), _NPY.replace(b"(40, 6)", b"(40, 6, 10**12)")), "embeddings.npy")
def vectors(place, drawn): assert mod._open_vectors(put(place, "embeddings.npy", drawn), 40, 6).shape == (40, 6)

CONFIG = RagConfig(question_encoder={"model_type": "bert"}, generator={"model_type": "bart"}).to_dict()
@door(3000, from_trees(CONFIG, {"model_type": "rag"}, {**CONFIG, "retriever_type": "x"}))
def configs(place, drawn):
    put(place, "config.json", json.dumps(drawn).encode())
    c = RagConfig.from_pretrained(str(place))
    assert isinstance(c.n_docs, int) and c.n_docs > 0

SPEC = EncoderSpec(pooling="mean", passage_template="{title} {text}").to_dict()
_ST = {"modules.json": [{"type": "sentence_transformers.models.Transformer", "path": ""}, {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}], "config_sentence_transformers.json": {"prompts": {"query": "q: "}},
       "sentence_bert_config.json": {"max_seq_length": 128}}
@door(4000, st.one_of(from_trees({"encoder_spec.json": SPEC}), from_trees(_ST)))
def encoder_descriptions(place, drawn):
    (place/"1_Pooling").mkdir(); put(place, "1_Pooling/config.json", b'{"pooling_mode_mean_tokens": true}')
    for n, v in drawn.items() if isinstance(drawn, dict) else ():
        if n in _ST or n == "encoder_spec.json": put(place, n, json.dumps(v).encode())
    spec = _find_spec(str(place), "BertModel")
    assert isinstance(spec, EncoderSpec)

@functools.cache
def _rag(kind="llama"):
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(toy_documents(), encoder, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator(kind), toy_tokenizer(kind)))

@door(600, st.tuples(st.sampled_from(["llama", "bart"]), st.one_of(texts, texts, odd), st.integers(-1, 20), st.integers(-1, 6)))
def questions(place, drawn):
    kind, question, n_docs, new = drawn
    a = _rag(kind).ask(question, n_docs=n_docs, max_new_tokens=new)
    for x in a if isinstance(a, list) else [a]: shown(x)

def answer_of(question, docs, tokens):
    "An answer that was never given, with these texts in it."
    K, T = max(1, len(docs)), max(1, len(tokens))
    tokens = list(tokens) or ["x"]
    p = torch.full((T, K), 1/K)
    hits = Hits.of([[{"id": i, "title": t, "text": x} for i, t, x in docs] or ["none"]])
    return Answer(question=question, text="".join(tokens), tokens=tokens, token_ids=torch.zeros(T, dtype=torch.long), token_logprobs=torch.full((T,), -1.), logprob=-1.*T, doc_prior=torch.full((K,), 1/K), doc_posterior=p, running_posterior=p, hits=hits)

ALLOWED = set("samp kbd bdi div span table thead tbody tfoot tr th td details summary p b i em strong br style del ins small sup sub blockquote ol ul li html head body title meta h1 h2 h3 h4 code pre a cite mark figure figcaption".split())
class _Tags(HTMLParser):
    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED, f"a tag <{tag}>"
        for name, value in attrs:
            assert not name.startswith("on") and name in ("class", "style", "title", "scope", "open", "dir", "lang", "charset", "name", "content", "http-equiv", "colspan", "rowspan", "role", "tabindex") or name.startswith(("aria-", "data-")), f"an attribute {name}={value!r}"
            assert name != "style" or not re.search(r"url|expression|javascript", value or ""), value

def shown(answer):
    "However it is shown, no text leaves its place."
    for html in (answer_html(answer), page_html(answer), answer.hits._repr_html_()): _Tags().feed(html)
    for out in (answer_terminal(answer, color=False), answer_terminal(answer, 40, color=False)): assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out), out
    assert not re.search(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[0-9;]*m)", answer_terminal(answer, color=True))
    json.loads(json.dumps(answer_json(answer), allow_nan=False).encode())

@door(4000, st.builds(answer_of, texts, st.lists(st.tuples(texts, texts, texts), max_size=4), st.lists(texts, max_size=6)))
def answers_shown(place, drawn): shown(drawn)

CONTROL = ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "<s>", "</s>", "<pad>", "<unk>", "[INST]", "[/INST]", "<<SYS>>", "<|system|>", "<|eot_id|>", "<repo_name>", "<file_sep>"]
@functools.cache
def _tokenizers():
    "Toy tokenizers with chat tokens of their own, and the default generator's where it is in the cache."
    made = {}
    for kind in ("bart", "t5", "llama", "gpt2"):
        made[kind] = toy_tokenizer(kind); made[kind].add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>", "[INST]"]})
    from rag_nb.demo.defaults import SMOLLM2, cache_dir
    kept = cache_dir()/f"SmolLM2-135M-Instruct-{SMOLLM2.version}"
    if is_whole(kept): made["SmolLM2"] = transformers.AutoTokenizer.from_pretrained(kept)
    return made

_CHAT = "<|im_start|>user\n{title}\n{text}\n\n{question}<|im_end|>\n<|im_start|>assistant\n"
@door(6000, st.tuples(st.sampled_from(["bart", "t5", "llama", "gpt2", "SmolLM2"]), st.booleans(), *[st.lists(st.one_of(st.sampled_from(CONTROL), texts), max_size=5).map("".join)]*3))
def contexts(place, drawn):
    kind, chat, title, text, question = drawn
    tokenizer = _tokenizers().get(kind) or _tokenizers()["llama"]
    model = {"bart": "bart", "t5": "t5"}.get(kind, "llama")
    config = RagConfig(question_encoder={"model_type": "bert"}, generator={"model_type": model}, max_combined_length=8000, context_template=_CHAT if chat else None)
    ids = lambda d, q: assemble_contexts(tokenizer, config, [q], [[d]])["context_input_ids"][0].tolist()
    special = lambda row: [i for i in row if i in tokenizer.all_special_ids and i != tokenizer.unk_token_id]
    assert special(ids({"title": title, "text": text}, question)) == special(ids({"title": "a", "text": "b"}, "c")), "a control token came out of a text"

@functools.cache
def _published():
    "A tiny wiki_dpr as {name: bytes}."
    v = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    t = pa.table({"id": [str(i) for i in range(20)], "text": [f"text {i}" for i in range(20)], "title": ["t"]*20, "embeddings": list(v)})
    return _parquet(t, row_group_size=7)

@door(3000, from_bytes(_published(), _parquet(pa.table({"id": ["1"], "text": ["a"], "title": ["b"], "embeddings": [[1., 2.]]}))))
def published_parquet(place, drawn):
    folder = place/"wiki"/"data"/"psgs_w100"/"dummy.nq"
    folder.mkdir(parents=True); put(folder, "train-00000-of-00001.parquet", drawn)
    index = WikiDPRIndex(str(place/"wiki"), dummy=True, say=lambda t: None)
    hits = index.search(np.ones((1, index.dim), np.float32), 3).with_passages(index.passages)
    assert hits.shape == (1, 3)

@functools.cache
def _legacy():
    v = np.random.default_rng(0).standard_normal((10, 9)).astype(np.float32)
    index = faiss.IndexHNSWSQ(9, faiss.ScalarQuantizer.QT_8bit, 8); index.train(v); index.add(v)
    return {LegacyIndex.INDEX_FILENAME + ".index.dpr": faiss.serialize_index(index).tobytes(), LegacyIndex.PASSAGE_FILENAME: pickle.dumps({str(i): (f"text {i}", f"t {i}") for i in range(10)}), LegacyIndex.INDEX_FILENAME + ".index_meta.dpr": pickle.dumps([str(i) for i in range(10)])}

@door(3000, st.tuples(st.integers(0, 1), edits))
def legacy_files(place, drawn):
    files = dict(_legacy()); name = [n for n in sorted(files) if not n.endswith(".index.dpr")][drawn[0]]
    files[name] = edited(files[name], drawn[1])
    for n, b in files.items(): put(place, n, b)
    index = LegacyIndex(8, str(place)); index.init_index()
    index.search(np.ones((1, 8), np.float32), 3).with_passages(index.passages)

@functools.cache
def _checkpoint():
    "A toy checkpoint as {name: bytes}, with weights both ways."
    with tempfile.TemporaryDirectory() as d:
        m = RagTokenForGeneration(question_encoder=toy_encoder().model, generator=toy_generator("bart"))
        m.save_pretrained(d)
        torch.save({k: v for k, v in m.state_dict().items()}, Path(d)/"pytorch_model.bin")
        return {p.name: p.read_bytes() for p in Path(d).iterdir()}

class _State(dict):
    def __reduce__(self): return eval, ("open('ran', 'w')",)
def _torch(x): f = io.BytesIO(); torch.save(x, f); return f.getvalue()

@door(400, st.tuples(st.sampled_from(["model.safetensors", "pytorch_model.bin", "a pickle that runs", "config.json"]), edits))
def checkpoints(place, drawn):
    name, changes = drawn
    files = dict(_checkpoint())
    if name == "model.safetensors": files[name] = edited(files[name][:3000], changes) + files[name][3000:]; files.pop("pytorch_model.bin")
    elif name == "config.json": files[name] = json.dumps(edited_tree(json.loads(files[name]), [(a*b, v % 6, v - 100, "n_docs") for v, a, b, c in changes])).encode(); files.pop("pytorch_model.bin")
    else:
        files.pop("model.safetensors"); name, evil = "pytorch_model.bin", name != "pytorch_model.bin"
        if evil: files[name] = _torch(_State(x=1)) if sum(c[0] for c in changes) % 2 else pickle.dumps(_State(x=1))
        else: files[name] = edited(files[name], changes)
    for n, b in files.items(): put(place, n, b)
    try: model = RagTokenForGeneration.from_pretrained(str(place))
    except RuntimeError as e:
        if "ignore_mismatched_sizes" not in str(e): raise              # Transformers' own words over shapes that do not fit the configuration
        raise ValueError(str(e)) from e
    assert not (name == "pytorch_model.bin" and evil), "a pickle that runs was taken"
    assert model.config.n_docs > 0

@functools.cache
def _toys(kind):
    "A toy generator or encoder as {name: bytes}."
    with tempfile.TemporaryDirectory() as d:
        if kind == "encoder": toy_encoder().save_pretrained(d)
        else: toy_generator(kind).save_pretrained(d); toy_tokenizer(kind).save_pretrained(d)
        return {p.relative_to(d).as_posix(): p.read_bytes() for p in Path(d).rglob("*") if p.is_file()}

SIZES = st.sampled_from([-1, 0, 1, 3, 2**16, 10**6, 10**7, 2**31, 2**63, 10**30, 1.5, "8", None, True, [], {}])
@door(1500, st.tuples(st.sampled_from(["bart", "llama", "encoder"]), st.integers(0, 2**16), st.one_of(st.tuples(st.just("size"), st.integers(0, 2**16), SIZES), st.tuples(st.just("tree"), tree_edits()), st.tuples(st.just("bytes"), edits))), "m")
def model_folders(place, drawn):
    "A folder with one of its small files changed: a number, a branch, or bytes."
    kind, which, (how, *change) = drawn
    files = dict(_toys(kind)); (place/"m").mkdir()
    small = sorted(n for n in files if n.endswith(".json")); name = small[which % len(small)]
    tree = json.loads(files[name])
    if how == "bytes": files[name] = edited(files[name], change[0])
    elif how == "tree": files[name] = json.dumps(edited_tree(tree, change[0])).encode()
    else:
        keys = [k for k, v in tree.items() if isinstance(v, (int, float)) or v is None] or list(tree)
        tree[keys[change[0] % len(keys)]] = change[1]
        files[name] = json.dumps(tree).encode()
    for n, b in files.items(): (place/"m"/n).parent.mkdir(exist_ok=True); (place/"m"/n).write_bytes(b)
    if kind == "encoder": TextEncoder.from_pretrained(place/"m").encode(["tea"]); return
    try: rag = Rag.from_parts(_rag("llama").retriever, _rag("llama").encoder, str(place/"m"))
    except (ValueError, TypeError) as e: raise ValueError(f"m: {e}") from e
    try: shown(rag.ask("What is tea?", max_new_tokens=2))
    except (ValueError, TypeError, IndexError, RuntimeError) as e: raise ValueError(f"m: {e}") from e     # of a network with other numbers in it

_WHERE_IN = ["num_beams", "num_return_sequences", "max_new_tokens", "max_length", "min_length", "min_new_tokens", "top_k", "top_p", "temperature", "no_repeat_ngram_size", "repetition_penalty",
             "length_penalty", "eos_token_id", "pad_token_id", "bos_token_id", "decoder_start_token_id", "forced_bos_token_id", "forced_eos_token_id", "suppress_tokens", "begin_suppress_tokens",
             "bad_words_ids", "sequence_bias", "do_sample", "early_stopping", "stop_strings", "max_time", "encoder_no_repeat_ngram_size", "exponential_decay_length_penalty", "num_beam_groups", "penalty_alpha"]
@door(1500, st.tuples(st.sampled_from(["llama", "bart"]), st.dictionaries(st.sampled_from(_WHERE_IN), st.one_of(SIZES, values, st.lists(SIZES, max_size=3), st.lists(st.lists(SIZES, max_size=3), max_size=2)), max_size=4)))
def generation_configs(place, drawn):
    "What a file may say of how to generate, as the model's own settings."
    kind, said = drawn
    put(place, "generation_config.json", json.dumps(said).encode())
    rag = _rag(kind); before = rag.model.generation_config
    try:
        rag.model.generation_config = transformers.GenerationConfig.from_pretrained(place)
        shown(rag.ask("What is tea?", **({} if {"max_new_tokens", "max_length"} & {*said} else {"max_new_tokens": 2})))
    finally: rag.model.generation_config = before

_PIECES = ["{{ ", " }}", "{% ", " %}", "'a'", " * ", "900000000", "10**9", " ~ ", " + ", "messages", "[0]", ".content", "|tojson", "|indent(", "|center(", ".replace('', ", ")", "(", "range(", "99999", "for i in ", "endfor", "if ",
           "endif", "set x = ", "namespace(a=1)", "macro f(n)", "endmacro", "f(n-1)", "[x, x]", "loop", "lipsum", "raise_exception('a')", "strftime_now('%9999d')", ".format(1)", "%", "'%99999d'", "|join", "|list", "|batch(", "bos_token", "recursive", "break", "continue", "generation", "__class__", "x"]
_WHOLE = ["{% for m in messages %}<|{{ m['role'] }}|>{{ m.content }}{% endfor %}", "{{ 'a' * 9 }}", "{% set ns = namespace(a='a') %}{% for i in range(9) %}{% set ns.a = ns.a ~ ns.a %}{% endfor %}{{ ns.a }}", "{% macro f(n) %}{% if n %}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(3) }}"]
@door(6000, st.one_of(st.lists(st.one_of(st.sampled_from(_PIECES), texts), max_size=14).map("".join), from_bytes(*(w.encode() for w in _WHOLE)).map(lambda b: b.decode("utf8", "replace")),
                      st.tuples(st.sampled_from(_WHOLE), st.lists(st.tuples(st.integers(0, 200), st.sampled_from(_PIECES)), max_size=4)).map(lambda x: functools.reduce(lambda t, e: t[:e[0] % (len(t)+1)] + e[1] + t[e[0] % (len(t)+1):], x[1], x[0]))), "chat template")
def chat_templates(place, drawn):
    from rag_nb.hf.tokenizer import chat_template_of
    tokenizer = _tokenizers()["llama"]; tokenizer.chat_template = drawn
    start = time.thread_time()
    try: said = chat_template_of(tokenizer)
    finally: tokenizer.chat_template = None; took = time.thread_time() - start
    assert said is None or len(said) < 10**6
    assert took < 20, f"{took:.0f} s"

@door(1500, st.tuples(st.sampled_from([1, 999, 1001, 4000]), st.integers(0, 3), st.sampled_from(["plain", "dictionary", "nested", "null"]), st.sampled_from([1, 300, 50_000]), st.sampled_from([1, 1000, 1_000_000])), "d.parquet")
def wide_and_deep_tables(place, drawn):
    "Tables that are small as files: many columns, many rows, long values that are stored once."
    columns, more, kind, rows, length = drawn
    if columns*rows > 500_000: rows = 1
    text = {"plain": lambda: pa.array(["x"*length]*(rows if rows*length < 10**8 else 1)), "null": lambda: pa.nulls(rows, pa.string()), "nested": lambda: pa.array([["x"*length]]*(rows if rows*length < 10**8 else 1)),
            "dictionary": lambda: pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), ["x"*length])}[kind]()
    table = pa.table({"text": text, **{f"c{i}": pa.array(np.zeros(len(text), np.int8)) for i in range(columns - 1)}})
    put(place, "d.parquet", _parquet(table, compression="zstd", row_group_size=[None, 1000, 10_000, 100_000][more]))
    try: taken(place/"d.parquet")
    finally:
        p = Passages.open(place/"d.parquet")
        assert len(p) == len(text) and len(p[:1]) == 1

def _wheel(*entries, **kw):
    f = io.BytesIO()
    with zipfile.ZipFile(f, "w", **kw) as z:
        for n, b in entries: z.writestr(n, b)
    return f.getvalue()
_PACKAGE = Package("p", "1", "p", {"a.txt": mod.hashlib.sha256(b"hello").hexdigest()}, size=100, needs=10_000, model="m")
@door(3000, from_bytes(_wheel(("p/a.txt", b"hello"), ("../evil", b"x")), _wheel(("p/a.txt", b"hello"), compression=zipfile.ZIP_DEFLATED), _wheel(("p/a.txt", b"other"))), "w.whl")
def wheels(place, drawn):
    (place/"out").mkdir()
    paths = unpack(put(place, "w.whl", drawn), _PACKAGE, place/"out")
    assert [p.read_bytes() for p in paths] == [b"hello"]

@door(3000, from_trees({"files": {"a.txt": 5, "b/c": 1}}).map(lambda x: json.dumps(x).encode()))
def kept_models(place, drawn):
    put(place, "a.txt", b"hello"); put(place, "rag_nb.json", drawn)
    assert is_whole(place) in (True, False)

QUESTIONS = b'{"id": "a", "question": "What is tea?"}\n{"question": ""}\n"Who was Ada?"\n'
@door(4000, st.tuples(st.sampled_from(["q.jsonl", "q.txt", "q.csv", "q.tsv", "q.json", "q.parquet"]), from_bytes(QUESTIONS, b"id,question\n1,What is tea?\n", b'[{"question": "What is tea?"}]', _parquet(pa.table({"question": ["What is tea?", "Why?"]})), b"\xef\xbb\xbfWhat?\r\n\n")))
def question_files(place, drawn):
    rows = list(itertools.islice(_rows(put(place, *drawn)), 500))
    assert all(r.row == i and (r.error or r.question.strip()) for i, r in enumerate(rows))
    json.dumps([[r.id, r.question, r.error] for r in rows], ensure_ascii=False).encode()

FAISS_FILES = {"hnsw": lambda: _folder(), "flat": lambda: _folder("faiss-flat"), "ivf": lambda: _ivf()}
@door(1500, st.tuples(st.sampled_from(list(FAISS_FILES)), edits), "f")
def faiss_files_with_fitting_checksums(place, drawn):
    files = dict(FAISS_FILES[drawn[0]]())
    name = next(n for n in files if n.endswith(".faiss"))
    files[name] = edited(files[name], drawn[1])
    m = json.loads(files["manifest.json"])
    m["files"][name] = {"size": len(files[name]), "sha256": mod.hashlib.sha256(files[name]).hexdigest()}
    files["manifest.json"] = json.dumps({**m, "checksum": mod._checksum(m)}).encode()
    try: used(IndexFolder.open(unpacked(place, files)))
    except RuntimeError as e: raise ValueError(f"f: {e}") from e                          # FAISS's own words over a search
    except ValueError as e: raise ValueError(f"f: {e}") from e

words = st.one_of(st.sampled_from(["index", "ask", "--out", "--index", "--kind", "--n-words", "--n_words", "--overlap", "--json", "--check", "--encoder", "docs.jsonl", "idx", "-1", "0", "exact", "--help", "--version", "--html", "f"]), texts)
@door(1500, st.lists(words, max_size=7))
def command_lines(place, drawn):
    if "demo" in drawn[:1]: return
    put(place, "docs.jsonl", JSONL)
    out, err, sys.stdout, sys.stderr = sys.stdout, sys.stderr, io.StringIO(), io.StringIO()
    try: code = cli(drawn)
    except SystemExit as e: code = e.code
    finally: said, sys.stdout, sys.stderr = sys.stderr.getvalue(), out, err
    assert code in (0, 2, None) and "Traceback" not in said, said


# --- running ---------------------------------------------------------------------------------------------------------------------------

def on_purpose(error):
    "Whether an error was raised by a line that says so, or by a library on behalf of one of its callers."
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if "/rag_nb/" not in frame.filename: return True
    return any("raise" in linecache.getline(frame.filename, n) for n in range(frame.lineno - 3, (frame.end_lineno or frame.lineno) + 1))

def look(door, place, drawn, tally):
    "Show one input to a door; AssertionError or whatever else is no clear error comes out."
    tally["inputs"] += 1
    try: door.look(place, drawn); tally["taken"] += 1
    except CLEAR as e:
        said = str(e)
        if not said.strip() or len(said) > 5000: raise AssertionError(f"an error that says {'nothing' if not said.strip() else 'too much'}: {type(e).__name__}") from e
        if not on_purpose(e): raise AssertionError(f"{type(e).__name__} by accident: {said[:300]}") from e
        if door.name and door.name not in said: raise AssertionError(f"an error that does not name {door.name}: {said[:300]}") from e
        tally["refused"] += 1

def fuzz(name, inputs, seed):
    "Called in a child: the tally, and the failure if there is one."
    door, tally = DOORS[name], Counter()
    root = Path(os.environ["FUZZ"]); os.chdir(root)
    configuration.set_hypothesis_home_dir(root/"hypothesis")
    warnings.simplefilter("ignore"); transformers.logging.set_verbosity_error()
    numbers = itertools.count()
    from rag_nb.demo.defaults import cache_dir
    guard = Guard(root, allow=(str(ROOT/".git") + "/", os.path.realpath(cache_dir()) + "/"))

    @seeded(seed)
    @settings(max_examples=inputs, database=None, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate, Phase.shrink], report_multiple_bugs=False, print_blob=False)
    @given(door.drawn)
    def one(drawn):
        place = root/f"{next(numbers)}"
        place.mkdir()
        (root/"last").write_text(repr(drawn)[:100_000], errors="backslashreplace")
        try:
            with guard: look(door, place, drawn, tally)
        finally: shutil.rmtree(place, ignore_errors=True)
        if (root/"ran").exists(): raise Forbidden("code was run")

    prepare(name)
    limit_memory()
    try: one()
    except BaseException as e: return tally, f"{type(e).__name__}: {e}\n{''.join(traceback.format_exception(e))[-3000:]}\ninput: {(root/'last').read_text()[:2000]}"
    return tally, None

ROOT = Path(__file__).parents[2]
def prepare(name):
    "Whatever is made once, before the guard is on."
    made = {"index folders with fitting checksums": lambda: (_ivf(), _folder("faiss-flat"), _folder("exact")), "faiss files with fitting checksums": lambda: (_ivf(), _folder("faiss-flat")), "legacy files": _legacy, "checkpoints": _checkpoint, "contexts": _tokenizers, "chat templates": _tokenizers, "model folders": lambda: ([_toys(k) for k in ("bart", "llama", "encoder")], _rag("llama").ask("a", max_new_tokens=2)),
            "generation configs": lambda: [_rag(k).ask("a", max_new_tokens=2) for k in ("llama", "bart")],
            "questions": lambda: [_rag(k).ask("a", max_new_tokens=2) for k in ("llama", "bart")], "command lines": lambda: cli(["index", "none", "--out", "none"])}
    made.get(name, lambda: None)()

def run(name, inputs, seed):
    root = tempfile.mkdtemp(prefix="fuzz-"); os.environ["FUZZ"] = root
    start, out = time.time(), trace.forked(lambda: fuzz(name, inputs, seed))
    tally, failure = out.value if out.ended == "returned" else (Counter(), f"the process ended: {out.ended} {out.value}\n{out.traceback}\ninput: {Path(root, 'last').read_text()[:2000] if Path(root, 'last').exists() else ''}")
    shutil.rmtree(root, ignore_errors=True)
    print(f"  {name}: {dict(tally)}, {time.time()-start:.0f} s", file=sys.stderr, flush=True)
    if failure: print(f"FAILED {name}: {failure}", file=sys.stderr, flush=True)
    return tally, failure

def with_atheris(name, runs):
    "Coverage-guided: atheris changes the bytes that Hypothesis turns into an input."
    import atheris
    root = tempfile.mkdtemp(prefix="fuzz-"); os.environ["FUZZ"] = root; os.chdir(root)
    door, guard, tally, numbers = DOORS[name], Guard(root, allow=(str(ROOT) + "/",)), Counter(), itertools.count()
    prepare(name); warnings.simplefilter("ignore")
    @settings(database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(door.drawn)
    def one(drawn):
        place = Path(root)/f"{next(numbers)}"; place.mkdir()
        try:
            with guard: look(door, place, drawn, tally)
        finally: shutil.rmtree(place, ignore_errors=True)
    atheris.Setup([sys.argv[0], f"-runs={runs}"], atheris.instrument_func(one.hypothesis.fuzz_one_input))
    atheris.Fuzz()

def main(argv=None):
    args = argparse.ArgumentParser(prog="python -m tests.faults.fuzz", description=__doc__.split("\n")[0])
    args.add_argument("--full", action="store_true", help="more than 100,000 inputs")
    args.add_argument("--share", type=float, default=.02, help="share of them in a short run")
    args.add_argument("--only", nargs="*", help=", ".join(DOORS))
    args.add_argument("--inputs", type=int, help="for each door")
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--atheris", help="a door to fuzz guided by coverage")
    args = args.parse_args(argv)
    if args.atheris: return with_atheris(args.atheris, args.inputs or 100_000)
    total, failed, start, lines = Counter(), [], time.time(), []
    for name in args.only or DOORS:
        tally, failure = run(name, args.inputs or max(8, round(DOORS[name].inputs*(1 if args.full else args.share))), args.seed)
        total += tally
        if failure: failed.append(name)
        lines.append(f"| {name} | {tally['inputs']:,} | {tally['taken']:,} | {tally['refused']:,} | {'**no**' if failure else 'yes'} |")
    print("| door | inputs | taken | refused by a clear error | held |\n|---|---|---|---|---|\n" + "\n".join(lines))
    print(f"\n{total['inputs']:,} inputs at {len(lines)} doors, {len(failed)} of them failed{': ' + ', '.join(failed) if failed else ''}, {time.time()-start:.0f} s")
    return 1 if failed else 0

if __name__ == "__main__": sys.exit(main())
