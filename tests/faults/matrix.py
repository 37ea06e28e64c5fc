"""What an index folder goes through, and what is left of it.

    python -m tests.faults.matrix            a sample, under a minute
    python -m tests.faults.matrix --full     every point, every way (half an hour or more on one core)

A change (build, add, delete, compact, save ...) is run in a child process, and at its n-th system call that changes something on the
disk it is killed, torn, or told that the disk is full; n goes over all of them. Afterwards the folder must hold the old state or
the new one, whole, every text and vector compared, and the same change must then go through. Where nothing was there before, a
clear error that names the place is allowed as well. Two writers, readers beside writers, and damaged files have tables of their own.
"""
import argparse, errno, hashlib, json, os, random, shutil, sys, tempfile, time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1"); os.environ.setdefault("TQDM_DISABLE", "1"); os.environ.setdefault("HF_HUB_OFFLINE", "1")
import faiss, numpy as np, pandas, pyarrow.compute, pyarrow.parquet, torch           # noqa: F401 (imported here, so that every child has them)

from rag_nb.store import folder as mod, faiss as index_faiss  # noqa: F401
from rag_nb.core.answer import Rag
from rag_nb.core.config import RagConfig
from rag_nb.store.folder import IndexFolder, build_folder
from rag_nb.core.model import RagTokenForGeneration
from rag_nb.core.passages import Passages
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
from tests.faults import trace

torch.set_num_threads(1); faiss.omp_set_num_threads(1)
D, ENCODER = 8, {"name": "hashes", "spec": {"pooling": "mean"}, "probe": [.1, -.2, .3]}
KINDS = ("ValueError", "TypeError", "OSError")                                       # and their kin: errors that explain themselves


def vector(text):
    "A fixed pseudo-random vector of a text, of length one."
    v = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")).standard_normal(D)
    return (v/np.linalg.norm(v)).astype(np.float32)

def encode(rows): return np.stack([vector(r["text"]) for r in rows])
def some(n, start=0):
    return Passages.from_documents([{"id": f"d{i}", "title": f"T{i}", "text": f"document number {i}"} for i in range(start, start+n)])
def create(path, n=12, start=0, **kw):
    return IndexFolder.create(path, some(n, start), encode(some(n, start)), ENCODER, **{"index_kind": "hnsw", **kw})
def add(path, n=3, start=100): return IndexFolder.open(path).append(some(n, start), encode(some(n, start)))
def build(path, n=12, **kw):
    return build_folder(path, some(n), encode, ENCODER, **{"shard_size": 4, "index_kind": "hnsw", "progress": False, **kw})


def contents(folder):
    "Which documents a folder holds; an AssertionError if one of them is not as it was written, or is not found."
    rows, vectors = list(folder.passages), np.concatenate([np.asarray(v, np.float32) for v in folder.vectors])
    alive = [i for i in range(len(folder)) if folder.deleted is None or not folder.deleted[i]]
    for i in alive:
        n = rows[i]["document"][1:]
        assert (rows[i]["title"], rows[i]["text"], rows[i]["id"]) == (f"T{n}", f"document number {n}",
            f"d{n}#0"), f"row {i} holds {rows[i]}"
    assert len(rows) == len(vectors) == len(folder) and np.array_equal(vectors, encode(rows)), "vectors are not those that were written"
    hits = folder.index().search(vectors[alive], 1)
    assert hits.ids[:, 0].tolist() == alive, "not every passage is found by its own vector"
    return tuple(sorted(int(rows[i]["document"][1:]) for i in alive))

def state(path): return contents(IndexFolder.open(path, verify=True))


# --- the changes -------------------------------------------------------------------------------------------------------------------

@dataclass
class Change:
    "Something that is done to a folder, and what it holds before and after."
    do: object
    new: tuple
    before: object = None        # makes the folder; None: nothing is there
    old: tuple = None
    again: object = None         # what one does after a failure; None: the same
    state: object = state

def ids(*spans): return tuple(i for a, b in spans for i in range(a, b))

def _life(path): create(path); add(path); IndexFolder.open(path).delete([1, 13])

def _absorbing(path): mod.BESIDE = 0; add(path, 4, 200)

def _retriever(n, n_docs):
    "A retriever over toy documents, with everything that is saved beside an index."
    encoder = toy_encoder()
    docs = [{**d, "id": f"{n_docs}-{d['id']}"} for d in toy_documents()[:n]]
    config = RagConfig(question_encoder=encoder.model.config.to_dict(), retrieval_vector_size=32, n_docs=n_docs, **encoder.spec.to_dict())
    made = RagRetriever.from_documents(docs, encoder, config=config, progress=False)
    made.question_encoder_tokenizer, made.generator_tokenizer = encoder.tokenizer, toy_tokenizer("bart")
    for t in (made.question_encoder_tokenizer, made.generator_tokenizer): t.model_max_length = 100 + n_docs     # which save it is of
    return made

def _rag(n, n_docs):
    "A whole `Rag` over such a retriever, whose weights, too, say which save they are of."
    r = _retriever(n, n_docs)
    made = Rag.from_parts(r, r.encoder, (toy_generator("bart"), r.generator_tokenizer))
    made.model.config.n_docs = n_docs
    with torch.no_grad(): made.model.generator.get_input_embeddings().weight.fill_(n_docs)
    return made

def _lengths(*tokenizers): return {t.model_max_length - 100 for t in tokenizers}

def _of_retriever(r):
    "Which save each part of a retriever is of, and its documents."
    texts = {d["title"]: d["text"] for d in toy_documents()}
    for p in r.passages: assert texts[p["title"]] == p["text"] and r.find(p["text"], 1).documents()[0]["title"] == p["title"]
    return {r.config.n_docs, *_lengths(r.question_encoder_tokenizer, r.generator_tokenizer)}, tuple(sorted(r.passages.column("document")))

def _whole(of, found):
    "What a saved folder holds, if all parts are of one save."
    assert len(of) == 1, f"parts of several saves: {of}, {found}"
    return of.pop(), found

def _saved(path): return _whole(*_of_retriever(RagRetriever.from_pretrained(path, encoder=toy_encoder(), verify=True)))

def _of_model(model): return {model.config.n_docs, int(model.generator.get_input_embeddings().weight.unique().item())}

def _saved_rag(path):
    r = Rag.from_pretrained(path)
    r.retriever._encoder = toy_encoder()
    return _whole_rag(r)

def _whole_rag(r):
    of, found = _of_retriever(r.retriever)
    return _whole(of | _of_model(r.model) | _lengths(r.tokenizer.question_encoder, r.tokenizer.generator), found)

def _saved_index(path):
    "As `_saved_rag`, but the index is opened first, and by itself."
    alone = _saved(path/"index")
    both = _saved_rag(path)
    assert alone == both, f"the index by itself {alone}, and then the whole {both}"
    return both

def _saved_model(path): return _whole(_of_model(RagTokenForGeneration.from_pretrained(path)), ())

def _cut_off(path):
    "A save over another that was killed when it was complete, before its files were in their places."
    _rag(6, 3).save_pretrained(path)
    complete = []
    def decide(i, call):
        if complete: return "kill"
        if call.to.endswith("/f/.saved") or call.to.endswith("/before/.saved"): complete.append(call)
    if trace.run(lambda: _rag(4, 2).save_pretrained(path), path, decide).ended != "killed": raise RuntimeError("the save was not killed")

def _exchange(path): IndexFolder.open(path).exchange([0, 5], some(3, 100), encode(some(3, 100)))

def _documents(version):
    "Four documents, and what becomes of them: one stays, one changes, one goes, one is renamed, one is new."
    old = dict(stays="tea in the house", changes="rope and oar", goes="salt", old="a lamp")
    return [dict(id=k, text=t) for k, t in (old if not version else dict(stays=old["stays"], changes="rope and sail", new="a lamp", more="honey")).items()]

def _in_step(version): return tuple(sorted((d["id"], d["text"]) for d in _documents(version)))
def _in_it(path):
    "Which documents an index holds, each found by its own text."
    r = _opened(path)
    alive = [d for i, d in enumerate(r.passages) if r.deleted is None or not r.deleted[i]]
    for d in alive: assert r.find(d["text"], 1).documents()[0]["text"] == d["text"]
    return tuple(sorted((d["document"], d["text"]) for d in alive))
def _opened(path): return RagRetriever.from_pretrained(path, encoder=toy_encoder(), verify=True)

def _kept(n, n_docs): return n_docs, tuple(sorted(f"{n_docs}-{d['id']}" for d in toy_documents()[:n]))

CHANGES = {
    "build":    Change(build, ids((0, 12)), again=lambda p: build(p)
    if not (p/"manifest.json").exists() or p.with_name(p.name + ".building").exists() else None),
    "rebuild":  Change(lambda p: build(p, 5, overwrite=True), ids((0, 5)), _life, ids((0, 1), (2, 12), (100, 101), (102, 103))),
    "create":   Change(create, ids((0, 12)), again=lambda p: create(p, overwrite=True)),
    "add":      Change(add, ids((0, 12), (100, 103)), create, ids((0, 12))),
    "add, graph grows": Change(_absorbing, ids((0, 12), (200, 204)), create, ids((0, 12))),
    "delete":   Change(lambda p: IndexFolder.open(p).delete([0, 5]), ids((1, 5), (6, 12)), create, ids((0, 12))),
    "exchange": Change(_exchange, ids((1, 5), (6, 12), (100, 103)), create, ids((0, 12))),
    "sync": Change(lambda p: _opened(p).sync(_documents(1), progress=False) and None, _in_step(1), lambda p: RagRetriever.from_documents(_documents(0), toy_encoder(), path=p, progress=False), _in_step(0),
    state=_in_it),
    "compact":  Change(lambda p: IndexFolder.open(p).compact(), ids((0, 1), (2, 12), (100, 101), (102, 103)), _life,
    ids((0, 1), (2, 12), (100, 101), (102, 103))),
    "save":     Change(lambda p: _retriever(6, 3).save_pretrained(p), _kept(6, 3), state=_saved,
    again=lambda p: _retriever(6, 3).save_pretrained(p, overwrite=True)),
    "save over": Change(lambda p: _retriever(4, 2).save_pretrained(p, overwrite=True), _kept(4, 2),
    lambda p: _retriever(6, 3).save_pretrained(p), _kept(6, 3), state=_saved),
    "save a rag": Change(lambda p: _rag(6, 3).save_pretrained(p), _kept(6, 3), state=_saved_rag),
    "save a rag over": Change(lambda p: _rag(4, 2).save_pretrained(p), _kept(4, 2), lambda p: _rag(6, 3).save_pretrained(p), _kept(6, 3),
    state=_saved_index),
    "open, a save having been killed": Change(lambda p: IndexFolder.open(p/"index"), _kept(4, 2), _cut_off, _kept(4, 2),
    state=_saved_index),
    "save a model over": Change(lambda p: _rag(4, 2).model.save_pretrained(p), (2, ()), lambda p: _rag(6, 3).model.save_pretrained(p),
    (3, ()), state=_saved_model),
}


# --- one point -----------------------------------------------------------------------------------------------------------------------

class Place:
    "A temporary place with the folder as it was before, as often as needed."
    def __init__(self, change):
        self.tmp, self.change, self.n = Path(tempfile.mkdtemp(prefix="faults-")), change, 0
        if change.before: must(trace.forked(lambda: change.before(self.tmp/"before") and None))
    def fresh(self):
        self.n += 1
        path = self.tmp/f"{self.n}"/"f"
        path.parent.mkdir()
        if self.change.before: shutil.copytree(self.tmp/"before", path, symlinks=True)
        return path
    def gone(self, path): shutil.rmtree(path.parent, ignore_errors=True)
    def close(self): shutil.rmtree(self.tmp, ignore_errors=True)

def must(outcome):
    if outcome.ended != "returned": raise RuntimeError(f"{outcome.ended} {outcome.value}\n{outcome.traceback}")
    return outcome.value

def explains(outcome, *names):
    "Whether an outcome is an error of a kind that explains itself, and names one of these."
    return outcome.ended == "raised" and any(k in outcome.value[1]
        for k in KINDS) and (not names or any(n in outcome.value[2] for n in names))

def judge(change, path, what):
    "'old', 'new' or 'error' (only where nothing was there); otherwise a complaint that begins with '!'. Looked at in one child."
    found = trace.forked(lambda: _judged(change, path, what.ended))
    return found.value if found.ended == "returned" else f"! looking at it: {found.ended}: {found.value}\n{found.traceback}"

def _judged(change, path, ended):
    try:
        found = change.state(path)
        if found not in (change.new, change.old): return f"! neither old nor new: {found}"
        word = "new" if found == change.new else "old"
    except (ValueError, TypeError, OSError) as e:
        if change.old is not None or str(path) not in str(e): return f"! {type(e).__name__}: {e}"
        word = "error"
    if change.new == change.old: word = "new" if ended == "returned" else "old"
    again = word != "new" or change.again
    try:
        if again: (change.again or change.do)(path)
        after = change.state(path)
    except (ValueError, TypeError, OSError) as e: return f"! then the same change fails: {type(e).__name__}: {e}"
    if after != change.new: return f"! after doing it again: {after}"
    left = [n for n in os.listdir(path) if n == mod.SAVED] + [n for n in os.listdir(path.parent) if again and n != "f"]
    for home in (path, path/"index"):
        if again and (home/"manifest.json").exists():
            files = json.loads((home/"manifest.json").read_text())["files"]
            left += [n for n in os.listdir(home) if n.split(".")[0] in ("passages", "embeddings", "index", "deleted") and n not in files
                and (home/n).is_file() or n == mod.SAVING and change.old != change.new]
    if left: return f"! left lying about: {left}"
    return word

def at_point(place, n, how):
    "Run the change, let the n-th point go wrong; (what the folder is then, the call)."
    change, path, hit = place.change, place.fresh(), []
    def decide(i, call):
        if how == "full disk":
            if i >= n and call.name in trace.ROOM: hit.append(call); return errno.ENOSPC
        elif how == "sync fails":
            if i == n: hit.append(call); return errno.EIO if "sync" in call.name else None
        elif i == n: hit.append(call); return "tear" if how == "torn write" else "kill"
    out = trace.run(lambda: change.do(path) and None, path, decide)
    if how == "power cut":
        for lost in out.unsynced:
            if os.path.isfile(lost): os.truncate(lost, 0)
    if how in ("full disk", "sync fails") and hit and not (out.ended == "returned" or explains(out)):
        word = f"! ended with {out.ended} {out.value}\n{out.traceback}"
    else: word = judge(change, path, out)
    place.gone(path)
    return word, hit[0] if hit else None

def points(place):
    "The calls of the undisturbed change."
    path = place.fresh()
    out = trace.run(lambda: place.change.do(path) and None, path)
    must(out)
    place.gone(path)
    return out.calls

def suits(how, call):
    if how == "torn write": return "write" in call.name
    if how == "sync fails": return "sync" in call.name
    return how != "full disk" or call.name in trace.ROOM

WAYS = ("killed", "power cut", "torn write", "full disk", "sync fails")

def kill_matrix(share, seed, report, only=None):
    "Rows of (change, way, points, old, new, error, complaints)."
    rng = random.Random(seed)
    for name, change in CHANGES.items():
        if only and name not in only: continue
        place = Place(change)
        try:
            calls = points(place)
            for how in WAYS:
                at = [i for i, c in enumerate(calls, 1) if suits(how, c)]
                part = min(1, share*(4 if how == "killed" else 1))
                at = sorted(rng.sample(at, min(len(at), max(1, round(part*len(at))))))
                tally = Counter()
                for n in at:
                    word, call = at_point(place, n, how)
                    tally[word.split(":")[0] if word[0] == "!" else word] += 1
                    if word[0] == "!": report.complain(f"{name}, {how}, point {n} ({call}): {word}")
                report.row("points", (name, how), len(at), tally)
        finally: place.close()


# --- two at once ---------------------------------------------------------------------------------------------------------------------

def _second(path): add(path, 2, 300)

def two_writers(share, seed, report):
    "While a writer is held at each of its points: a second writer is refused or done, a reader finds a whole state."
    rng = random.Random(seed)
    for name in ("add", "delete", "exchange", "compact", "rebuild"):
        change, tally, calls = CHANGES[name], Counter(), []
        place = Place(change)
        try:
            calls = points(place)
            for n in ([*range(1, len(calls) + 1)] if share >= 1
                else sorted(rng.sample(range(1, len(calls) + 1), max(1, round(share*len(calls)))))):
                path, seen = place.fresh(), {}
                def decide(i, call, n=n, path=path, seen=seen):
                    if i == n: seen["reader"], seen["writer"] = trace.forked(lambda: state(path)), trace.forked(lambda: _second(path))
                out = trace.run(lambda path=path: change.do(path) and None, path, decide)
                word = _both(change, path, out, **seen)
                tally[word if word[0] != "!" else "!"] += 1
                if word[0] == "!": report.complain(f"two writers, {name} held at point {n} ({calls[n-1]}): {word}")
                place.gone(path)
        finally: place.close()
        report.row("writers", (name,), sum(tally.values()), tally)

def _both(change, path, out, reader, writer):
    if reader.ended != "returned" or set(reader.value) not in (set(change.old), set(change.new)):
        return f"! a reader found {reader.ended} {reader.value}\n{reader.traceback}"
    more = set(range(300, 302)) if writer.ended == "returned" else set()
    if not more and not explains(writer, "is writing to it", "changed it meanwhile"):
        return f"! the second writer: {writer.ended} {writer.value}\n{writer.traceback}"
    if out.ended != "returned" and not (more and explains(out, "rewritten since", "changed it meanwhile")):
        return f"! the first writer: {out.ended} {out.value}\n{out.traceback}"
    now = set(must(trace.forked(lambda: state(path))))
    wanted = [set(change.new) | more] if out.ended == "returned" else [set(change.old) | more]
    if more and change is CHANGES["rebuild"]: wanted += [set(change.new)]              # overwriting comes last and replaces what was added
    return ("second refused" if not more else "both done" if out.ended == "returned"
        else "first refused") if now in wanted else f"! holds {sorted(now)}"

def readers(report):
    "A reader is held before each file that it opens, and when all is open, while a writer adds, compacts, overwrites and saves."
    def busy(path): add(path); IndexFolder.open(path).delete([0]).compact()
    def passages(path): f = IndexFolder.open(path, verify=True); f.passages[0]; f.index(); return lambda: contents(f)
    def retriever(path):
        r = RagRetriever.from_pretrained(path, verify=True); r._encoder = toy_encoder(); return lambda: _whole(*_of_retriever(r))
    def whole(path):
        r = Rag.from_pretrained(path); r.retriever._encoder = toy_encoder()
        return lambda: _whole_rag(r)
    rows = (("add", create, passages, add, ids((0, 12)), ids((0, 12), (100, 103))),
        ("add, delete, compact", create, passages, busy, ids((0, 12)), ids((1, 12), (100, 103))),
            ("overwrite", create, passages, lambda p: create(p, 5, 500, overwrite=True), ids((0, 12)), ids((500, 505))),
            ("save over", *(CHANGES["save over"].before, retriever, CHANGES["save over"].do), _kept(6, 3), _kept(4, 2)),
            ("save a rag over", *(CHANGES["save a rag over"].before, whole, CHANGES["save a rag over"].do), _kept(6, 3), _kept(4, 2)))
    for name, before, opened, writer, old, new in rows:
        place, tally, n = Place(Change(writer, (), before)), Counter(), 0
        try:
            while True:
                n, path, seen = n + 1, place.fresh(), []
                def read(path=path, opened=opened):
                    found = opened(path)
                    try: open(path/"opened")
                    except FileNotFoundError: pass
                    return found()
                def decide(i, call, n=n, path=path, seen=seen, writer=writer):
                    if i == n: must(trace.forked(lambda: writer(path) and None)); seen.append(call.path.endswith("opened"))
                out = trace.run(read, path, decide, reads=True)
                place.gone(path)
                if not seen: break
                good = out.ended == "returned" and (out.value in (old, new) if not seen[0] else out.value == old)
                word = ("old" if out.value == old else "new") if good else "error" if explains(out, "open it again", "missing") else "!"
                tally[word] += 1
                if word == "!" or word == "error":
                    report.complain(f"reader beside {name}, held at {n}: {out.ended} {out.value}\n{out.traceback}")
        finally: place.close()
        report.row("readers", (name,), sum(tally.values()), tally)


# --- damage --------------------------------------------------------------------------------------------------------------------------

def damages(data, rng, flips):
    "Ways in which one file's bytes get lost: (name, bytes or a function of the path)."
    n = len(data)
    for i in sorted({0, 1, n//2, n-1, *(rng.randrange(n) for _ in range(flips))}):
        b = bytearray(data); b[i] ^= 1 << rng.randrange(8); yield "bit flipped", bytes(b)
    for i in sorted({0, 1, 4, n//4, n//2, n-8, n-1, *(rng.randrange(n) for _ in range(flips//3))} & set(range(n))):
        yield "truncated", data[:i]
    for _ in range(max(2, flips//6)):
        b, i = bytearray(data), rng.randrange(n); b[i:i+512] = bytes(len(b[i:i+512])); yield "a block of zeros", bytes(b)
        b, i = bytearray(data), rng.randrange(n); b[i:i+64] = rng.randbytes(len(b[i:i+64])); yield "a block of garbage", bytes(b)
    for more in (b"x", data[:1], data): yield "longer", data + more
    yield "missing", lambda p: p.unlink()
    yield "a link", lambda p: (p.rename(p.parent.parent/"aside"), p.symlink_to(p.parent.parent/"aside"))
    yield "a folder", lambda p: (p.unlink(), p.mkdir())

def damage_matrix(share, seed, report):
    "Every file of a folder with every kind of entry, damaged in many ways; opened and read whole, by default and as if it were large."
    rng, flips = random.Random(seed), 30 if share >= 1 else 3
    place = Place(Change(add, (), _life))
    before = place.tmp/"before"
    whole = must(trace.forked(lambda: state(before)))
    try:
        for file in sorted(p.name for p in before.iterdir() if p.name != ".lock"):
            tally, large = Counter(), Counter()
            many = [*damages((before/file).read_bytes(), rng, flips),
                *((f"in place of {other}", (before/other).read_bytes()) for other in sorted(os.listdir(before))
                if other not in (file, ".lock"))]
            if file == "manifest.json": many += [("a newer version", v) for v in _newer(before)]
            for name, how in many:
                path = place.fresh()
                if callable(how): how(path/file)
                else: (path/file).write_bytes(how)
                for counted, limit in ((tally, mod.WHOLE), (large, 0)):
                    word = _damaged(path, file, whole, limit, name)
                    counted[word if word[0] != "!" else "!"] += 1
                    if word[0] == "!": report.complain(f"{file} {name}{' (large folder)'*(limit == 0)}: {word}")
                place.gone(path)
            report.row("damage", (file, "up to 256 MB"), sum(tally.values()), tally)
            report.row("damage", (file, "larger"), sum(large.values()), large)
    finally: place.close()

def _newer(before):
    m = json.loads((before/"manifest.json").read_text())
    for change in ({"version": 2}, {"version": 999}, {"version": 2, "shards": [1, 2], "segments": None}):
        new = {**m, **change}
        yield json.dumps({**new, "checksum": mod._checksum(new)}).encode()

def _damaged(path, file, whole, limit, name):
    "'named': an error that names the file; 'same': nothing was lost; 'by --check': only a full check names it; a complaint with '!'."
    def look(verify=None):
        mod.WHOLE = limit
        return contents(IndexFolder.open(path, verify=verify))
    out = trace.forked(look)
    if out.ended == "returned" and out.value == whole: return "same" if limit else _checked(look, file) or "same"
    if explains(out, file) and (name != "a newer version" or "update rag_nb" in out.value[2]): return "named"
    if limit: return f"! {out.ended} {out.value}\n{out.traceback}"
    return _checked(look, file) or f"! {out.ended} {out.value}\n{out.traceback}"

def _checked(look, file):
    if explains(trace.forked(lambda: look(True)), file): return "by --check"


# --- the report ----------------------------------------------------------------------------------------------------------------------

TABLES = {"points": ("A change goes wrong at its n-th system call that changes something", ("change", "what happens"),
    ("old", "new", "error")),
          "writers": ("A second writer, while the first is held at each of its points", ("first writer",),
          ("second refused", "both done", "first refused")),
          "readers": ("A reader is held before each file that it opens, while a writer changes the folder", ("writer",), ("old", "new")),
          "damage": ("A file is damaged", ("file", "folder"), ("named", "same", "by --check"))}

class Report:
    def __init__(self, out=sys.stdout): self.rows, self.complaints, self.out, self.start = defaultdict(list), [], out, time.time()
    def row(self, table, key, tried, tally):
        self.rows[table].append((key, tried, tally))
        print(f"  {', '.join(key)}: {tried} tried, {dict(tally)}", file=sys.stderr, flush=True)
    def complain(self, what): self.complaints.append(what); print(f"FAILED {what}", file=sys.stderr, flush=True)
    def tried(self, table): return sum(t for _, t, _ in self.rows[table])
    def tables(self):
        for name, (title, keys, words) in TABLES.items():
            if name not in self.rows: continue
            yield f"\n{title}: {self.tried(name):,} tried\n\n| {' | '.join(keys)} | tried | {' | '.join(words)} | lost or unclear |\n|{'---|'*(len(keys) + 2 + len(words))}"
            for key, tried, tally in self.rows[name]:
                bad = tried - sum(tally[w] for w in words)
                yield f"| {' | '.join(key)} | {tried} | {' | '.join(str(tally[w]) for w in words)} | {bad} |"

def main(argv=None):
    args = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__.split("\n")[0])
    args.add_argument("--full", action="store_true", help="every point, every way")
    args.add_argument("--share", type=float, default=.04, help="share of the points that a short run tries (it kills at four times as "
        "many)")
    args.add_argument("--seed", type=int, default=0)
    args.add_argument("--only", nargs="*", help="points, writers, readers, damage, or changes by name")
    args = args.parse_args(argv)
    if not trace.AVAILABLE: sys.exit("the fault matrix traces system calls, which it can on Linux on x86-64 only")
    share, report, only = 1 if args.full else args.share, Report(), set(args.only or ())
    wanted = lambda name: not only or name in only
    if wanted("points") or only & set(CHANGES): kill_matrix(share, args.seed, report, only & set(CHANGES))
    if wanted("writers"): two_writers(share, args.seed, report)
    if wanted("readers"): readers(report)
    if wanted("damage"): damage_matrix(share, args.seed, report)
    print("\n".join(report.tables()))
    print(f"\n{sum(report.tried(t) for t in TABLES):,} faults, {len(report.complaints)} lost or unclear, {time.time()-report.start:.0f} s")
    return 1 if report.complaints else 0

if __name__ == "__main__": sys.exit(main())
