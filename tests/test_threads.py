"One retriever from many threads, a writer beside searches, forks and copies: every search reads one state."
import copy, os, pickle, sys, threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rag_nb import Passages, Rag, RagConfig, RagRetriever
from rag_nb.core.passages import _Memory, _View
from rag_nb.core.snapshot import Once, current, fork_lock, pinned
from rag_nb.hf.tokenizing import called
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

KINDS = [(None, "exact"), (None, "hnsw"), ("folder", "exact"), ("folder", "hnsw")]


@pytest.fixture(scope="module")
def encoder(): return toy_encoder()


def made(encoder, tmp_path, where, kind, cls=RagRetriever):
    docs, path = toy_documents(), None if where is None else tmp_path/"index"
    return cls.from_documents(docs, encoder=encoder, progress=False, index_kind=kind, path=path)


def right(hits, retriever, encoder, of=None):
    "Whether each vector that was found is its passage's: the texts are encoded once more."
    for b, row in enumerate(hits.passages):
        for k, p in enumerate(row):
            if p is None: continue
            if not np.allclose(encoder.encode([p], "passage")[0], hits.vectors[b, k].numpy(), atol=1e-4): return False
    return True


def elsewhere(work):
    "Do it in another thread, and wait."
    with ThreadPoolExecutor(1) as pool: return pool.submit(work).result()


def striking(retriever, work):
    "Let another thread change the retriever just after its index has been searched for the next time."
    index, search = retriever.index, retriever.index.search
    def once(*args, **kwargs):
        hits = search(*args, **kwargs)
        if vars(index).pop("search", None): elsewhere(work)
        return hits
    index.search = once


def compacted(retriever):
    retriever.delete([retriever.passages[0]["document"], retriever.passages[1]["document"]])
    retriever.compact()


@pytest.mark.parametrize("where, kind", KINDS)
@pytest.mark.parametrize("weight", [0., .3])
def test_a_search_reads_one_state(encoder, tmp_path, where, kind, weight):
    "A writer strikes between the search and the reading of the texts: the hits are those of the state before, whole."
    retriever = made(encoder, tmp_path, where, kind)
    asked = ["What is tea?", "Who wrote the first computer program?"]
    q = torch.from_numpy(encoder.encode(asked, "question"))
    before = retriever.search(q, 5, asked, weight)
    striking(retriever, lambda: compacted(retriever))
    during = retriever.search(q, 5, asked, weight)
    assert torch.equal(during.ids, before.ids) and during.passages == before.passages and torch.equal(during.scores, before.scores)
    assert right(during, retriever, encoder) and len(retriever) == len(toy_documents()) - 2
    after = retriever.search(q, 5, asked, weight)
    assert right(after, retriever, encoder) and {"0", "1"}.isdisjoint(p["document"] for row in after.passages for p in row)


@pytest.mark.parametrize("where, kind", KINDS)
def test_a_published_call_reads_one_state(encoder, tmp_path, where, kind):
    retriever = made(encoder, tmp_path, where, kind)
    retriever.question_encoder_tokenizer, retriever.generator_tokenizer = encoder.tokenizer, toy_tokenizer(kind="bart")
    q = encoder.encode(["What is tea?"], "question")
    striking(retriever, lambda: compacted(retriever))
    vectors, ids, docs = retriever.retrieve(q, 4)
    for k in range(4):
        again = encoder.encode([dict(title=docs[0]["title"][k], text=docs[0]["text"][k])], "passage")[0]
        assert np.allclose(again, vectors[0, k], atol=1e-4)
    striking(retriever, lambda: compacted(retriever))
    out = retriever(encoder.tokenizer(["What is tea?"]).input_ids, q, n_docs=2, return_tensors="pt")
    for k in range(2): assert torch.allclose(out["retrieved_doc_embeds"][0, k], q_of(retriever, out, k, encoder), atol=1e-4)


def q_of(retriever, out, k, encoder):
    "The vector of the document whose title the k-th context begins with."
    text = retriever.generator_tokenizer.decode(out["context_input_ids"][k], skip_special_tokens=True)
    return torch.from_numpy(encoder.encode([next(d for d in toy_documents() if text.startswith(d["title"]))], "passage")[0])


class Own(RagRetriever):
    "An override that reads the index, and what it found in the passages, as published code does."
    def retrieve(self, question_hidden_states, n_docs):
        hits = self.index.search(question_hidden_states, n_docs, exclude=self.deleted, return_vectors=True)
        docs = [{c: [p[c] for p in self.passages[row]] for c in ("title", "text")} for row in hits.ids.tolist()]
        return hits.vectors.numpy(), hits.ids.numpy(), docs


@pytest.mark.parametrize("where, kind", KINDS)
def test_an_override_reads_one_state(encoder, tmp_path, where, kind):
    "An override of a subclass knows nothing of snapshots, and reads one through a `Rag` as well as through `find`."
    retriever = made(encoder, tmp_path, where, kind, Own)
    rag = Rag.from_parts(retriever, encoder, (toy_generator("llama"), toy_tokenizer()), n_docs=4)
    for ask in (lambda: retriever.find("What is tea?", 4), lambda: rag.ask("What is tea?", max_new_tokens=1).hits):
        striking(retriever, lambda: compacted(retriever))
        assert right(ask(), retriever, encoder)


def test_a_block_reads_one_state_and_writers_the_newest(encoder, tmp_path):
    retriever = made(encoder, tmp_path, None, "exact")
    with retriever.snapshot() as now:
        elsewhere(lambda: compacted(retriever))
        assert retriever.index is now.index and len(retriever) == len(now) == len(toy_documents())
        retriever.add([dict(id="own", text="A thread reads what it wrote itself.")], progress=False)
        assert len(retriever) == len(toy_documents()) - 1
        assert retriever.find("A thread reads what it wrote itself.", 1).passages[0][0]["document"] == "own"
    assert len(retriever) == len(toy_documents()) - 1
    old = current(retriever)
    retriever.deleted = np.arange(len(old)) == 2                         # attributes are set as ever
    assert current(retriever) is not old and old.deleted is None and len(retriever) == len(old) - 1
    assert current(retriever).words is old.words


@pytest.mark.parametrize("where, kind", KINDS)
def test_writers_take_turns(encoder, tmp_path, where, kind):
    "Twelve additions and deletions from four threads: nobody is told that somebody else is writing, and nothing is lost."
    retriever = made(encoder, tmp_path, where, kind)
    def work(i):
        retriever.add([dict(id=f"w{i}", text=f"Document number {i} came from a thread of its own.")], progress=False)
        if i % 3 == 0: retriever.delete(f"w{i}")
        if i == 7: retriever.compact()
    with ThreadPoolExecutor(4) as pool: list(pool.map(work, range(12)))
    assert {d for d in retriever._documents() if d.startswith("w")} == {f"w{i}" for i in range(12) if i % 3}
    assert right(retriever.find([f"Document number {i} came from a thread of its own." for i in range(12)], 6), retriever, encoder)


def test_an_id_is_added_once(encoder, tmp_path):
    retriever = made(encoder, tmp_path, None, "exact")
    def work(i):
        try: retriever.add([dict(id="same", text="The same document.")], progress=False)
        except ValueError as e: return "document id 'same' is in the index already" in str(e)
    with ThreadPoolExecutor(8) as pool: assert list(pool.map(work, range(8))).count(None) == 1
    assert retriever.passages.column("document").count("same") == 1


@pytest.mark.parametrize("kind, n", [("exact", 0), ("hnsw", 0), ("hnsw", 1200)])
def test_an_index_grows_beside_itself(encoder, tmp_path, kind, n):
    "The index that searches are in stays as it was, also where FAISS's structure takes the new vectors in."
    retriever = made(encoder, tmp_path, None, kind)
    old, q = retriever.index, torch.from_numpy(encoder.encode(["What is tea?"], "question"))
    before = old.search(q, 3, return_vectors=True)
    v = torch.nn.functional.normalize(torch.randn(max(n, 3), old.dim, generator=torch.Generator().manual_seed(0)), dim=1)
    new = old.grown(v)
    assert len(new) == len(old) + len(v) and torch.equal(old.search(q, 3, return_vectors=True).vectors, before.vectors)
    if kind == "hnsw": assert (old.index.ntotal, new.index.ntotal) == (len(old), len(new) if n else len(old))
    assert new.search(v[:3], 1).ids.flatten().tolist() == [len(old), len(old)+1, len(old)+2]


def test_compaction_lays_no_view_over_a_view(encoder, tmp_path):
    retriever = made(encoder, tmp_path, None, "exact")
    for i in range(30):
        retriever.add([dict(id=f"v{i}", text=f"Version {i} of a document.")], progress=False)
        if i: retriever.delete(f"v{i-1}"); retriever.compact()
    assert [type(p) for p in retriever.passages.parts] == [_Memory] and len(retriever) == len(toy_documents()) + 1
    assert retriever.find("Version 29 of a document.", 1).passages[0][0]["document"] == "v29"
    retriever.passages.save(tmp_path/"p.parquet")
    file = Passages.concat([Passages.open(tmp_path/"p.parquet"), retriever.passages])
    kept = file.kept([1, 3, 13, 15]).kept([0, 2, 3])
    assert kept[:] == [file[1], file[13], file[15]] and [type(p) for p in kept.parts] == [_View, _Memory]
    assert type(kept.parts[0].passages.parts[0]).__name__ == "_File"


def test_words_are_counted_once(encoder, tmp_path, monkeypatch):
    import rag_nb.core.retriever as module
    retriever, counted, plain = made(encoder, tmp_path, "folder", "exact"), [], module.BM25Index
    monkeypatch.setattr(module, "BM25Index", lambda passages: counted.append(1) or plain(passages))
    q = torch.from_numpy(encoder.encode(["What is tea?"], "question"))
    def look(_): return retriever.search(q, 2, ["What is tea?"], .3)
    with ThreadPoolExecutor(8) as pool: list(pool.map(look, range(40)))
    retriever.delete(retriever.passages[0]["document"])                  # the passages are the same ones
    assert right(look(0), retriever, encoder) and len(counted) == 1
    retriever.add([dict(id="new", text="A new passage.")], progress=False)
    assert right(look(0), retriever, encoder) and len(counted) == 2


# --- forks and copies ------------------------------------------------------------------------------------------------------------------

def child(work, limit=20):
    "What a forked process returns of `work`, True or False; False where it has not ended in time."
    pid = os.fork()
    if pid == 0:
        os._exit(0 if work() else 1)
    for _ in range(limit*50):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done: return status == 0
        threading.Event().wait(.02)
    os.kill(pid, 9); os.waitpid(pid, 0)
    return False


@pytest.mark.filterwarnings("ignore:This process")
@pytest.mark.parametrize("where, kind", KINDS)
def test_a_fork_beside_readers_and_a_writer(encoder, tmp_path, where, kind):
    "Locks that other threads hold are free in the child, which searches, reads and writes; and the parent goes on."
    retriever, stop = made(encoder, tmp_path, where, kind), threading.Event()
    q = torch.from_numpy(encoder.encode(["What is tea?"], "question"))
    def read():
        while not stop.is_set(): retriever.search(q, 3, ["What is tea?"], .3); retriever.passages.column("text")
    def write():
        for i in range(1000):
            if stop.is_set(): return
            retriever.add([dict(id=f"f{i}", text=f"Fork {i}.")], progress=False); retriever.delete(f"f{i}")
    def looked():
        return right(retriever.search(q, 3, ["What is tea?"], .3), retriever, encoder) and len(retriever.passages.column("text")) >= 12
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(read), pool.submit(read), pool.submit(write)]
        try: assert all(child(looked) for _ in range(8))
        finally: stop.set()
        for w in work: w.result()
    with retriever._writing:
        assert child(lambda: elsewhere(lambda: retriever._writing.acquire(timeout=5)))


def test_a_child_does_not_keep_the_folder_locked(tmp_path, encoder):
    "A process that is forked while a folder is written has its lock's file open; the folder is free when the writer is done."
    from rag_nb.store.folder import IndexFolder, _locked
    retriever = made(encoder, tmp_path, "folder", "exact")
    with _locked(retriever.folder.path):
        pid = os.fork()
        if pid == 0: threading.Event().wait(30); os._exit(0)
    try: retriever.delete(retriever.passages[0]["document"])
    finally: os.kill(pid, 9); os.waitpid(pid, 0)
    assert len(IndexFolder.open(retriever.folder.path)) == len(toy_documents())


def test_locks_of_forks():
    quick, long, other = fork_lock(quick=True), fork_lock(), threading.Event()
    ready = threading.Event()
    def hold():
        with long: ready.set(); other.wait(10)
    thread = threading.Thread(target=hold); thread.start(); ready.wait()
    try:
        free = lambda: long.acquire(blocking=False) and quick.acquire(blocking=False)
        assert not free() and child(free)
    finally: other.set(); thread.join()
    assert pickle.loads(pickle.dumps(Once())).value is None and copy.deepcopy(Once()).value is None


@pytest.mark.parametrize("where, kind", KINDS)
def test_copies_of_a_retriever(encoder, tmp_path, where, kind):
    "Copied, deep-copied and pickled, beside a writer: each copy is one state, has a lock of its own and no pin."
    retriever = made(encoder, tmp_path, where, kind)
    q = torch.from_numpy(encoder.encode(["What is tea?"], "question"))
    with pinned(retriever), retriever._writing if hasattr(retriever, "_writing") else fork_lock():
        twins = [copy.copy(retriever), copy.deepcopy(retriever), pickle.loads(pickle.dumps(retriever))]
    want = retriever.search(q, 4)
    for twin in twins:
        found = elsewhere(lambda: twin.search(q, 4))
        assert torch.equal(found.ids, want.ids) and found.passages == want.passages and torch.allclose(found.scores, want.scores)
    if where is None:
        twins[0].add([dict(id="twin", text="Only in the twin.")], progress=False)
        assert len(twins[0]) == len(retriever) + 1 and right(retriever.search(q, 4), retriever, encoder)


def test_a_deep_copy_of_what_a_folder_has_replaced(encoder, tmp_path):
    "Passages and hits of a state whose files are gone from the disk are copied all the same."
    retriever = made(encoder, tmp_path, "folder", "hnsw")
    old = current(retriever)
    compacted(retriever); retriever.compact()
    assert copy.deepcopy(old.passages)[:] == old.passages[:]
    assert copy.deepcopy(retriever).passages.column("document") == retriever.passages.column("document")


# --- tokenizers ------------------------------------------------------------------------------------------------------------------------

PLAIN = dict(add_special_tokens=False, split_special_tokens=True)


def test_a_call_leaves_the_tokenizer_as_it_is_and_ignores_how_it_is_set():
    "The tokens are those of a fresh tokenizer, however another thread has left the shared one."
    tokenizer, fresh = toy_tokenizer("bart"), lambda: toy_tokenizer("bart")
    ways = [PLAIN, {}, dict(truncation=True, max_length=4), dict(padding="max_length", max_length=20, truncation=True), dict(padding=True)]
    for left in ways:
        tokenizer("x", **left)
        before = tokenizer.backend_tokenizer.to_str(), tokenizer.backend_tokenizer.encode_special_tokens
        for way in ways:
            texts = ["Tea </s> is <s> a drink", "Ink"]
            found, want = called(tokenizer, texts, **way), fresh()(texts, **way)
            assert found.input_ids == want.input_ids and found.attention_mask == want.attention_mask
        assert before == (tokenizer.backend_tokenizer.to_str(), tokenizer.backend_tokenizer.encode_special_tokens)


def test_what_the_owner_changes_is_seen():
    tokenizer = toy_tokenizer("bart")
    call = lambda **way: called(tokenizer, "ab</s>", **way).input_ids
    first = call(), call(**PLAIN), call(truncation=True, max_length=4)
    tokenizer.add_tokens(["ab"])
    assert call() == tokenizer("ab</s>").input_ids != first[0] and call(**PLAIN) == tokenizer("ab</s>", **PLAIN).input_ids != first[1]
    tokenizer.truncation_side = "left"
    assert call(truncation=True, max_length=4) == tokenizer("ab</s>", truncation=True, max_length=4).input_ids
    frame = type(tokenizer.backend_tokenizer.post_processor)
    tokenizer.backend_tokenizer.post_processor = frame(single="$A", pair="$A $B", special_tokens=[])
    assert call() == tokenizer("ab</s>").input_ids and len(call()) == len(tokenizer("ab</s>", add_special_tokens=False).input_ids)


def test_ways_of_calling_are_forgotten_with_their_number_and_their_tokenizer():
    import gc, weakref
    from rag_nb.hf import tokenizing
    tokenizer = toy_tokenizer("bart")
    for n in range(3, 60): assert len(called(tokenizer, "a long text it is", truncation=True, max_length=n).input_ids) <= n
    assert len(tokenizing._OWN[tokenizer]) <= tokenizing.MOST + 2
    seen = weakref.ref(tokenizer)
    del tokenizer; gc.collect()
    assert seen() is None


def test_ids_with_a_gap_are_kept():
    "A backend whose added tokens cannot be added again one by one is copied whole."
    import json
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast
    whole = json.loads(toy_tokenizer("bart").backend_tokenizer.to_str())
    whole["added_tokens"].append({**whole["added_tokens"][-1], "id": 300, "content": "<far>", "special": False})
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(whole)), pad_token="<pad>")
    assert called(tokenizer, "a<far>b", **PLAIN).input_ids == tokenizer("a<far>b", **PLAIN).input_ids


def test_answers_framed_by_another_language_take_turns():
    "For `text_target` a translation model's tokenizer exchanges its frame; questions that are read meanwhile keep theirs."
    base = type(toy_tokenizer("bart"))
    class Switching(base):
        def _switch_to_input_mode(self): self._frame_by("<s>")
        def _switch_to_target_mode(self): self._frame_by("</s>")
        def _frame_by(self, token):
            from tokenizers.processors import TemplateProcessing
            special = [(token, self.convert_tokens_to_ids(token))]
            self._tokenizer.post_processor = TemplateProcessing(single=f"{token} $A", pair=f"{token} $A $B", special_tokens=special)
    plain = toy_tokenizer("bart")
    tokenizer = Switching(tokenizer_object=copy.deepcopy(plain.backend_tokenizer), pad_token="<pad>", bos_token="<s>", eos_token="</s>")
    tokenizer._switch_to_input_mode()
    source, target = tokenizer.convert_tokens_to_ids("<s>"), tokenizer.convert_tokens_to_ids("</s>")
    def look(i):
        if i % 2: return called(tokenizer, text_target=["an answer"]*20).input_ids[7][0] == target
        return called(tokenizer, ["a question"]*20).input_ids[7][0] == source
    with ThreadPoolExecutor(8) as pool: assert all(pool.map(look, range(200)))


def test_control_tokens_stay_letters_beside_every_other_call():
    "Contexts of documents that hold control tokens, while other threads use both tokenizers in every way that the library has."
    from rag_nb.hf.tokenizer import RagTokenizer, assemble_contexts
    encoder, reader = toy_encoder(), toy_tokenizer("bart")
    config = RagConfig(question_encoder=encoder.model.config.to_dict(), generator=toy_generator("bart").config.to_dict(),
        max_combined_length=60)
    both = RagTokenizer(encoder.tokenizer, reader, config)
    docs = [[dict(title="T", text="Forget </s> all <s> that "*i) for i in range(1, 5)]]
    lay = lambda: assemble_contexts(reader, config, ["What </s> now?"], docs)["context_input_ids"]
    want = dict(lay=lay(), rows=encoder.tokenize(["What is tea?"]*3), asked=both(["a</s>", "b"], padding=True, text_target=["x</s>", "y"]))
    was, interval = reader.backend_tokenizer.to_str(), sys.getswitchinterval()
    def look(i):
        if i % 4 == 0: return encoder.tokenize(["What is tea?"]*3) == want["rows"]
        if i % 4 == 1: return dict(both(["a</s>", "b"], padding=True, text_target=["x</s>", "y"])) == dict(want["asked"])
        return torch.equal(lay(), want["lay"])
    try:
        sys.setswitchinterval(1e-6)
        with ThreadPoolExecutor(12) as pool: assert all(pool.map(look, range(400)))
    finally: sys.setswitchinterval(interval)
    assert reader.backend_tokenizer.to_str() == was
