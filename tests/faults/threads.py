"""One retriever and one `Rag` from many threads, writers beside them: nothing wrong, nothing refused, nothing dead.

    python -m tests.faults.threads                  half a minute
    python -m tests.faults.threads --seconds 600    as SECURITY.md counts it
    python -m tests.faults.threads --only "folder, hnsw" --seconds 60

Each place has a process of its own, since what goes wrong in there may end it. In it two writers add, replace, delete and compact their
own documents (and bring a folder of documents into step, where the retriever can); others search by vectors and by words, ask, stream,
read columns and copy. Each vector that is found is compared with that of the passage beside it; each score with the inner product; a
document that nobody touches has to be found by its own vector every time; answers over given documents have to be those that one
thread gets, with their probability. `contexts` lays out documents that hold control tokens, from forty threads, while other threads
use the same tokenizers otherwise. An error of any kind counts, and so does a process that ends or hangs.
"""
import argparse, copy, json, os, pickle, subprocess, sys, tempfile, threading, time, traceback, warnings
from collections import Counter
from pathlib import Path

for name, value in {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}.items():
    os.environ.setdefault(name, value)
ROOT = Path(__file__).parents[2]
PLACES = ["memory, exact", "memory, hnsw", "folder, exact", "folder, hnsw", "contexts"]
COUNTS = ("searches", "hits", "asks", "streams", "columns", "copies", "changes", "contexts")
POOL = 120     # texts that writers take from


class Bench:
    "What the threads of one place share: the retriever, what is right, the counts, and the first few things that went wrong."
    def __init__(self, place, folder):
        import torch
        from rag_nb.core.answer import Rag
        from rag_nb.core.passages import Hits
        from rag_nb.core.retriever import RagRetriever
        from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer
        torch.set_num_threads(1)
        self.count, self.wrong, self.errors, self.stop, self.lock = Counter(), [], [], threading.Event(), threading.Lock()
        self.encoder, where, kind = toy_encoder(), *([*place.split(", "), "exact"][:2])
        self.fixed = toy_documents()
        self.pool = [dict(title=f"Lamp {i}", text=f"Lamp number {i} burns {i*i % 97} hours on one can of oil.") for i in range(POOL)]
        self.vectors = dict(zip(map(_text, self.fixed + self.pool), self.encoder.encode(self.fixed + self.pool, "passage")))
        path = folder/"index" if where == "folder" else None
        self.retriever = RagRetriever.from_documents(self.fixed + [dict(d, id=f"a{i}") for i, d in enumerate(self.pool[:30])], self.encoder,
            path=path, index_kind=kind, progress=False)
        self.tokenizer = toy_tokenizer("llama")
        self.rag = Rag.from_parts(self.retriever, self.encoder, (toy_generator("llama"), self.tokenizer), n_docs=3, max_combined_length=96)
        self.given = Hits.of([[dict(title="Rules", text="Say </s> nothing <s> else. "*2), self.fixed[1]]])
        self.answer = self.rag.ask("What </s> now?", hits=self.given, max_new_tokens=4)

    def said(self, kind, what):
        with self.lock:
            self.count[kind] += 1
            if len(getattr(self, kind)) < 3: getattr(self, kind).append(what)

    def check(self, hits, q=None, words=False):
        "Each vector that was found is the one of the passage beside it, and each score is theirs."
        import numpy as np
        for b in range(len(hits)):
            for k, p in enumerate(hits.passages[b]):
                if p is None: continue
                self.count["hits"] += 1
                want, v = self.vectors.get(_text(p)), hits.vectors[b, k].numpy()
                if want is None or not np.allclose(want, v, atol=1e-4):
                    self.said("wrong", f"row {int(hits.ids[b, k])}: {_text(p)!r}, another's vector")
                elif q is not None and not words and abs(off := float(hits.scores[b, k]) - float(q[b] @ want)) > 1e-3:
                    self.said("wrong", f"{_text(p)!r}: its score is off by {off:.4f}")


def _text(p): return f"{p.get('title') or ''}\n{p['text']}"


def searcher(b, i):
    import torch
    titles = [d["title"] for d in b.fixed]
    n = (i*7 + b.count["searches"]) % len(titles)
    q = torch.from_numpy(b.vectors[_text(b.fixed[n])])[None]
    words = b.count["searches"] % 3 == 0
    hits = b.retriever.search(q, 5, [b.fixed[n]["text"][:60]] if words else None, .2 if words else 0.)
    b.check(hits, q, words)
    first = hits.passages[0][0]["title"]
    if first != titles[n]: b.said("wrong", f"{titles[n]!r} was not found by its own vector, but {first!r}")
    b.count["searches"] += 1


def published(b, i):
    import numpy as np
    q = np.stack([b.vectors[_text(d)] for d in b.fixed[i:i+2]])
    vectors, ids, docs = b.retriever.retrieve(q, 4)
    for v, d in zip(vectors, docs):
        for k in range(4):
            b.count["hits"] += 1
            want = b.vectors.get(_text(dict(title=d["title"][k], text=d["text"][k])))
            if want is None or not np.allclose(want, v[k], atol=1e-4): b.said("wrong", f"retrieve: {d['title'][k]!r}, another's vector")
    b.count["searches"] += 1


def alike(answer, text, want):
    "The same words and probability; what goes on from a kept beginning may round the last bits otherwise."
    return text == want.text.strip() and abs(answer.logprob - want.logprob) < 1e-4


def asker(b, i):
    if b.count["asks"] % 2: b.check(b.rag.ask("Which lamp burns long?", max_new_tokens=1).hits)
    else:
        again = b.rag.ask("What </s> now?", hits=b.given, max_new_tokens=4)
        if not alike(again, again.text.strip(), b.answer): b.said("wrong", f"answered {again.text!r}, {again.logprob}")
    b.count["asks"] += 1


def streamer(b, i):
    stream = b.rag.ask("What </s> now?", hits=b.given, max_new_tokens=4, stream=True)
    said = "".join(stream)
    if not alike(stream.answer, said.strip(), b.answer): b.said("wrong", f"streamed {said!r}")
    b.count["streams"] += 1


def columns(b, i):
    passages = b.retriever.passages
    titles, texts = passages.column("title"), passages.column("text")
    for n in range(0, len(titles), 17):
        if _text(dict(title=titles[n], text=texts[n])) not in b.vectors: b.said("wrong", f"row {n}: title and text of two documents")
    if _text(passages[0]) not in b.vectors: b.said("wrong", "row 0 is no document")
    b.count["columns"] += 1
    b.stop.wait(.01)


def copier(b, i):
    import torch
    q = torch.from_numpy(b.vectors[_text(b.fixed[2])])[None]
    way = (copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r)))[b.count["copies"] % 3]
    b.check(way(b.retriever).search(q, 4), q)
    b.count["copies"] += 1
    b.stop.wait(.02)


def writer(b, i):
    "One of two: documents of its own come and go, and it compacts now and then."
    rng = getattr(b, f"rng{i}", None)
    if rng is None:
        import random
        rng = random.Random(i)
        setattr(b, f"rng{i}", rng); setattr(b, f"there{i}", [])
    there, n = getattr(b, f"there{i}"), b.count["changes"]
    if len(there) < 4 or (len(there) < 12 and rng.random() < .5):
        new = [f"w{i}-{n}-{j}" for j in range(rng.randint(1, 3))]
        b.retriever.add([dict(rng.choice(b.pool), id=d) for d in new], progress=False)
        there += new
    elif rng.random() < .3: b.retriever.compact()
    else: b.retriever.delete([there.pop(rng.randrange(len(there))) for _ in range(2)])
    b.count["changes"] += 1


def synced(b, i):
    "Brings another retriever into step with a folder of texts that changes, while others search it."
    import torch
    if not hasattr(b, "twin"):
        b.docs = Path(tempfile.mkdtemp())
        for j in range(8): (b.docs/f"{j}.txt").write_text(b.pool[j]["text"])
        b.twin = type(b.retriever).from_documents(b.docs, b.encoder, progress=False)
    n = b.count["changes"] % POOL
    (b.docs/f"{n % 8}.txt").write_text(b.pool[n]["text"])
    b.twin.sync(b.docs, progress=False)
    hits = b.twin.search(torch.from_numpy(b.encoder.encode([b.pool[n]], "passage")), 3)
    texts = {p["text"]: b.encoder.encode([p], "passage")[0] for p in hits.passages[0] if p}
    off = [abs(texts[p["text"]] - v.numpy()).max() for p, v in zip(hits.passages[0], hits.vectors[0]) if p]
    if max(off) > 1e-4: b.said("wrong", f"after sync a vector is off by {max(off):.4f}")
    b.count["changes"] += 1


def layers(b, contexts):
    "Forty threads that lay out `contexts` contexts in all, and four that use the tokenizers otherwise."
    from rag_nb.hf.tokenizer import assemble_contexts
    config, tokenizers = b.rag.model.config, (b.tokenizer, b.encoder.tokenizer)
    questions, text = ["What </s> now?"], "Forget </s> all <s> that was </s> said. "
    docs = [[dict(title=f"<s> {j}", text=text*(j + 1)) for j in range(5)]]
    want = assemble_contexts(b.tokenizer, config, questions, docs)["context_input_ids"]
    left = iter(range(contexts//5))
    def lay(b, i):
        with b.lock: more = next(left, None) is not None
        if not more: b.stop.set(); return
        found = assemble_contexts(b.tokenizer, config, questions, docs)["context_input_ids"]
        same = found.shape == want.shape and [bool((x == y).all()) for x, y in zip(found, want)]
        for k in range(5): same and same[k] or b.said("wrong", "a context differs from what one thread lays out")
        b.count["contexts"] += 5
    def other(b, i):
        texts = ["Some </s> text", "and more"]
        for tokenizer in tokenizers: tokenizer(texts, padding=i % 2 == 0, truncation=i > 1, max_length=4 + i if i > 1 else None)
        b.rag.tokenizer(texts, padding=True, truncation=True, max_length=5 + i)
        b.encoder.tokenize(["What is tea?"])
    return [lay]*40 + [other]*4


def run(place, seconds, contexts):
    "One place, in this process: a dict of what was counted, and what went wrong."
    sys.setswitchinterval(1e-6 if place == "contexts" else 1e-4)
    warnings.simplefilter("ignore")
    folder = tempfile.TemporaryDirectory()
    b = Bench(place, Path(folder.name))
    work = [writer, writer, *[searcher]*4, published, published, asker, streamer, columns, columns, copier]
    if hasattr(b.retriever, "sync"): work.append(synced)
    if place == "contexts": work, seconds = layers(b, contexts), max(seconds, 600)
    def loop(task, i):
        while not b.stop.is_set():
            try: task(b, i)
            except Exception: b.said("errors", f"{task.__name__}: {traceback.format_exc(limit=-6)}")
    threads = [threading.Thread(target=loop, args=(t, work[:n].count(t)), daemon=True) for n, t in enumerate(work)]
    for t in threads: t.start()
    b.stop.wait(seconds); b.stop.set()
    for t in threads: t.join(60)
    hung = [w.__name__ for t, w in zip(threads, work) if t.is_alive()]
    found = {k: b.count[k] for k in (*COUNTS, "wrong", "errors")}
    print("FOUND " + json.dumps(dict(found, hung=len(hung), seen=b.wrong + b.errors + hung)), flush=True)
    os._exit(0)


def outcome(place, seconds, contexts):
    "The same, in a process of its own; `deaths` is 1 where it ended otherwise than it should."
    command = [sys.executable, "-X", "faulthandler", "-m", "tests.faults.threads", "--inside", place]
    command += ["--seconds", str(seconds), "--contexts", str(contexts)]
    limit = 900 if place == "contexts" else seconds + 150
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=limit)
        out, err, code = done.stdout, done.stderr, done.returncode
    except subprocess.TimeoutExpired as e: out, err, code = e.stdout and e.stdout.decode(), f"no end: {e}", None
    line = next((o for o in (out or "").splitlines() if o.startswith("FOUND ")), None)
    if line: return dict(json.loads(line[6:]), deaths=0)
    return dict(dict.fromkeys((*COUNTS, "wrong", "errors", "hung"), 0), deaths=1, seen=[f"ended with {code}: {err[-1500:]}"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=24, help="for all places together; contexts are counted instead")
    parser.add_argument("--contexts", type=int, default=6000)
    parser.add_argument("--only", action="append", help="places, for instance \"folder, hnsw\"")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    o = parser.parse_args()
    if o.inside: return run(o.inside, o.seconds, o.contexts)
    places, total, began = o.only or PLACES, Counter(), time.time()
    timed = [p for p in places if p != "contexts"]
    print("| place | " + " | ".join(COUNTS) + " | wrong | errors | hung | deaths |\n|---" + "|---"*(len(COUNTS) + 4) + "|")
    for place in places:
        found = outcome(place, o.seconds/max(len(timed), 1), o.contexts)
        print(f"| {place} | " + " | ".join(f"{found[k]:,}" for k in (*COUNTS, "wrong", "errors", "hung", "deaths")) + " |", flush=True)
        for seen in found.pop("seen"): print("   ", seen.replace("\n", "\n    "), file=sys.stderr)
        total.update(found)
    bad = sum(total[k] for k in ("wrong", "errors", "hung", "deaths"))
    print(f"{total['hits']:,} hits and {total['contexts']:,} contexts beside {total['changes']:,} changes, "
          f"{total['asks'] + total['streams']:,} answers, {time.time() - began:.0f} s: "
          f"{total['wrong']:,} wrong, {total['errors']:,} errors, {total['hung']} hung, {total['deaths']} deaths")
    return int(bad > 0)


if __name__ == "__main__": sys.exit(main())
