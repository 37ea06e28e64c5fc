"An index in step with a folder: what a build of the folder would hold, with little embedded, in one commit; and the same cell run twice."
import json, os, random, shutil, warnings


import numpy as np, pytest

from rag_nb import IndexFolderError, Passages, RagRetriever
from rag_nb.core.encoder import _PROBE
from rag_nb.core.toy import toy_encoder
from rag_nb.store.folder import FolderMoved, IndexFolder, reading_of
from rag_nb.store.sync import base_of

ENCODER = toy_encoder()
WORDS = "tea boat rope lamp salt wind oar map honey bee queen river stone glass coffee mountain".split()


class Counting:
    "The toy encoder, counting what it embeds."
    def __init__(self, monkeypatch):
        self.n, plain = 0, type(ENCODER).encode
        def encode(this, texts, kind="question", **kw):
            if kind == "passage" and texts[0] is not _PROBE: self.n += len(texts)
            return plain(this, texts, kind, **kw)
        monkeypatch.setattr(type(ENCODER), "encode", encode)
    def since(self): n, self.n = self.n, 0; return n


def build(source, path=None, **kw): return RagRetriever.from_documents(source, ENCODER, path=path, progress=False, **kw)

def held(r):
    "What an index holds: for each passage its fields and its vector, in an order of their own."
    rows = np.arange(len(r.passages)) if r.deleted is None else np.flatnonzero(~np.asarray(r.deleted))
    v = np.asarray(r.index.vectors(rows))
    return sorted((json.dumps(p, sort_keys=True), tuple(np.round(x, 4))) for p, x in zip(r.passages[rows], v.tolist()))

def agrees(r, fresh):
    "Does an index hold and find what a fresh one does?"
    one, other = held(r), held(fresh)
    assert [p for p, _ in one] == [p for p, _ in other]
    assert np.allclose([v for _, v in one], [v for _, v in other], atol=2e-3) and len(r) == len(fresh)
    q = ENCODER.encode(["tea on the boat", "the queen of the bees"])
    a, b = (x.search(q, 4) for x in (r, fresh))
    assert np.allclose(a.scores, b.scores, atol=2e-3), "other passages are found"


def text(rng, n=30): return " ".join(rng.choices(WORDS, k=n))

def write(path, rng):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jsonl": path.write_text("".join(json.dumps(dict(text=text(rng, 8), year=rng.randrange(2020, 2025))) + "\n"
        for _ in range(rng.randrange(1, 4))))
    else: path.write_text(f"---\ntags: [{rng.choice(WORDS)}]\n---\n# {rng.choice(WORDS)}\n\n{text(rng, rng.randrange(1, 60))}\n")

NAMES = [f"{d}/{n}" for d in ("house", "boat", "house/attic") for n in ("wifi.md", "rules.md", "list.jsonl")]

def edit(home, rng):
    "A few edits of a handbook: write, change, append, rename, remove; one file is always left."
    for _ in range(rng.randrange(0, 4)):
        there = [p for p in home.rglob("*") if p.is_file()]
        path = home/rng.choice(NAMES)
        what = rng.choice(["write", "write", "append", "rename", "remove", "touch"])
        if what == "write" or not there: write(path, rng); continue
        old = rng.choice(there)
        if what == "append" and old.suffix == ".md": old.write_text(old.read_text() + "\n" + text(rng, 5))
        elif what == "rename" and path.suffix == old.suffix: path.parent.mkdir(parents=True, exist_ok=True); os.replace(old, path)
        elif what == "remove" and len(there) > 1: old.unlink()
        elif what == "touch": os.utime(old, (0, 0))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind, in_folder", [("exact", True), ("exact", False), ("hnsw", True), ("faiss-flat", False)])
def test_a_handbook_changed_ten_times(tmp_path, seed, kind, in_folder, monkeypatch):
    "After each round of edits the index agrees with a fresh build, and only passages with a new text are embedded."
    rng, home, counting = random.Random(seed), tmp_path/"handbook", Counting(monkeypatch)
    for name in rng.sample(NAMES, 4): write(home/name, rng)
    how = dict(n_words=12, overlap=3, index_kind=kind, **(dict(dtype="float16") if seed == 3 else {}))
    r = build(home, tmp_path/"index" if in_folder else None, **how)
    for _ in range(10):
        known = {(p["title"], p["text"]) for i, p in enumerate(r.passages) if r.deleted is None or not r.deleted[i]}
        edit(home, rng); counting.since()
        done = r.sync(home, progress=False)
        fresh = Passages.from_documents(home, n_words=12, overlap=3)
        assert counting.since() == done["embedded"] == sum((p["title"], p["text"]) not in known for p in fresh)
        assert done["kept"] + done["changed"] + done["added"] == len(set(fresh.column("document"))) and done["skipped"] == 0
        agrees(r, build(home, **how)); counting.since()
        if rng.random() < .2: r.compact()
        if in_folder and rng.random() < .4: r = RagRetriever.from_pretrained(tmp_path/"index", encoder=ENCODER)
    before = r.folder.manifest["generation"] if in_folder else None
    counting.since()
    assert r.sync(home, progress=False)["embedded"] == 0 == counting.since() and (before is None
        or r.folder.manifest["generation"] == before), "nothing has changed, and nothing is written"


def test_what_is_counted_and_said(tmp_path, capsys):
    home = tmp_path/"h"; home.mkdir()
    for n in "abc": (home/f"{n}.md").write_text(f"# {n}\n\nText of {n}.")
    r = build(home, tmp_path/"index")
    (home/"a.md").write_text("# a\n\nOther."); (home/"b.md").unlink(); (home/"d.txt").write_text("New."); (home/"e.txt").write_text("New, "
        "too.")
    capsys.readouterr()
    assert r.sync(home, progress=False) == dict(kept=1, changed=1, added=2, deleted=1, skipped=0, embedded=3)
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and said[0].endswith("index: 1 kept, 1 changed, 2 added, 1 deleted documents; 3 passages embedded")
    assert r._documents() == {"a.md", "c.md", "d.txt", "e.txt"}


def test_a_broken_file(tmp_path):
    "By default nothing is changed and the file is named; with errors='skip' it is left out, as by a build, and listed."
    home = tmp_path/"h"; home.mkdir()
    for n in "abc": (home/f"{n}.md").write_text(f"# {n}\n\nText of {n}.")
    r = build(home, tmp_path/"index")
    (home/"a.md").write_bytes(b"\xff\xfe\xff"); (home/"b.md").write_text("# b\n\nOther.")
    before = r.folder.manifest["generation"]
    with pytest.raises(ValueError, match="a.md: not UTF-8 text"): r.sync(home, progress=False)
    assert r.folder.manifest["generation"] == before and len(r) == 3
    with pytest.warns(UserWarning, match="1 of 3 documents were skipped"): done = r.sync(home, errors="skip", progress=False)
    assert done == dict(kept=1, changed=1, added=0, deleted=1, skipped=1, embedded=1) and "not UTF-8" in r.skipped[0]["reason"]
    assert RagRetriever.from_pretrained(tmp_path/"index").folder.manifest["skipped"] == r.skipped
    (home/"a.md").write_text("# a\n\nWhole again.")
    assert r.sync(home, progress=False)["added"] == 1 and not r.skipped and not r.folder.manifest["skipped"]
    shutil.rmtree(home); home.mkdir()
    with pytest.raises(ValueError, match="no documents in"): r.sync(home, progress=False)
    assert len(r) == 3


def test_how_it_was_read_is_remembered(tmp_path):
    "Words a passage, overlap and renamed columns; and the folder, as seen from the index, so that both can be moved."
    home = tmp_path/"one"/"h"; home.mkdir(parents=True)
    (home/"a.jsonl").write_text("".join(json.dumps(dict(contents_de=text(random.Random(i), 40))) + "\n" for i in range(3)))
    r = build(home, tmp_path/"one"/"index", n_words=10, overlap=2, columns={"contents_de": "text"})
    assert r.sync(home, progress=False)["kept"] == 3
    shutil.move(tmp_path/"one", tmp_path/"two")
    r = RagRetriever.from_pretrained(tmp_path/"two"/"index", encoder=ENCODER)
    assert r.reading == dict(n_words=10, overlap=2, columns={"contents_de": "text"}, folder=str(tmp_path/"two"/"h"))
    assert r.sync(tmp_path/"two"/"h", progress=False) == dict(kept=3, changed=0, added=0, deleted=0, skipped=0, embedded=0)
    assert r.sync(tmp_path/"two"/"h", n_words=20, progress=False)["changed"] == 3 and r.reading["n_words"] == 20
    r.compact()
    r.save_pretrained(tmp_path/"three")
    assert RagRetriever.from_pretrained(tmp_path/"three").reading == r.reading
    for bad in (None, 3, {}, dict(n_words="a", overlap=0), dict(n_words=3, overlap=5), dict(n_words=True,
        overlap=0)): assert reading_of(dict(reading=bad), tmp_path) is None


def test_somebody_else_changes_the_folder_meanwhile(tmp_path, monkeypatch):
    "The plan is made again, and what is embedded already is not embedded twice."
    home = tmp_path/"h"; home.mkdir()
    (home/"a.md").write_text("# a\n\nText.")
    r = build(home, tmp_path/"index")
    (home/"b.md").write_text("# b\n\nMore.")
    counting, plain, others = Counting(monkeypatch), IndexFolder.exchange, []
    def exchange(self, *a, **kw):
        if not others:
            others.append(RagRetriever.from_pretrained(tmp_path/"index", encoder=ENCODER))
            others[0].add([dict(id="z", text="From elsewhere.")], progress=False); counting.n -= 1                     # theirs
        return plain(self, *a, **kw)
    monkeypatch.setattr(IndexFolder, "exchange", exchange)
    done = r.sync(home, progress=False)
    assert done == dict(kept=1, changed=0, added=1, deleted=1, skipped=0, embedded=1) == {**done, "embedded": counting.since()}
    assert r._documents() == {"a.md", "b.md"}
    with pytest.raises(FolderMoved, match="somebody else has changed it meanwhile"): others[0].folder.exchange([0])


@pytest.mark.parametrize("in_folder", [True, False])
def test_a_file_that_comes_back_keeps_its_name(tmp_path, in_folder):
    "Two files of one name in two folders: deleted and added again, added over itself, as a file, a list or a folder, twice."
    home = tmp_path/"handbook"
    for d in ("house", "boat"): (home/d).mkdir(parents=True); (home/d/"wifi.md").write_text(f"# WiFi\n\nThe {d}.")
    r = build(home, tmp_path/"index" if in_folder else None)
    both, path = {"house/wifi.md", "boat/wifi.md"}, home/"house"/"wifi.md"
    for i in range(2):
        path.write_text(f"# WiFi\n\nThe house, again {i}.")
        r.delete("house/wifi.md"); r.add(path, progress=False)
        assert r._documents() == both
        for source in (path, [path], str(path), home/"house"):
            path.write_text(f"# WiFi\n\nThe house, {source} {i}.")
            with pytest.raises(ValueError, match="is in the index already: replace=True replaces it"): r.add(source, progress=False)
            r.add(source, replace=True, progress=False)
            assert r._documents() == both and len(r) == 2 and str(source) in r.find("house",
                2).with_passages(r.passages).documents()[0]["text"] + r.find("house", 2).documents()[1]["text"]
    r.add(home, replace=True, progress=False)
    assert r._documents() == both and len(r) == 2
    (home/"house"/"new.md").write_text("# New\n\nNew.")
    r.add(home/"house"/"new.md", progress=False)
    assert r._documents() == {*both, "house/new.md"} and r.sync(home, progress=False)["kept"] == 3


def test_the_folder_by_the_ids_alone(tmp_path):
    (tmp_path/"a"/"b").mkdir(parents=True); file = tmp_path/"a"/"b"/"c.md"; file.write_text("x")
    assert base_of(file, None, ["a/b/c.md", "b/c.md"]) == str(tmp_path) and base_of(file, None, ["c.md"]) is None
    assert base_of(tmp_path/"a", None, ["a/b/c.md"]) == str(tmp_path) and base_of(["x", "y"], None, ["x"]) is None
    assert base_of(file, dict(folder=str(tmp_path/"a")), ["a/b/c.md"]) == str(tmp_path/"a") and base_of([dict(text="t")],
        dict(folder="/"), []) is None


def test_replacing_is_one_change(tmp_path):
    r = build([dict(id=i, text=f"Text of {i}.") for i in "abc"], tmp_path/"index")
    before = r.folder.manifest["generation"]
    r.add([dict(id="b", text="Another text."), dict(id="d", text="And one more.")], replace=True, progress=False)
    assert r.folder.manifest["generation"] == before + 1 and len(r) == 4 and r._documents() == set("abcd")
    agrees(r, build([dict(id="a", text="Text of a."), dict(id="c", text="Text of c."), dict(id="b", text="Another text."), dict(id="d",
        text="And one more.")]))


def test_the_same_call_again(tmp_path, monkeypatch, capsys):
    "Run twice, the index is opened, and a line says so; where anything differs the error says what, and overwrite=True."
    docs, counting = [dict(id=i, text=f"Text of {i}.") for i in "abc"], Counting(monkeypatch)
    build(docs, tmp_path/"i"); capsys.readouterr(); counting.since()
    r = build(docs, tmp_path/"i")
    assert counting.since() == 0 and len(r) == 3 and "opened, with the same 3 documents and encoder as before" in capsys.readouterr().err
    assert len(build(docs[::-1], tmp_path/"i")) == 3                                      # their order is nothing of theirs
    r.add([dict(id="d", text="Text of d.")], progress=False); r.delete("a")
    for other, kw, words in [(docs, {}, "its documents differ .2 kept, 0 changed, 1 added, 1 deleted."), (docs[1:] + [dict(id="d",
        text="Other.")], {}, "1 changed"),
                             (docs, dict(index_kind="hnsw"), "its index is of kind 'exact'"), (docs, dict(dtype="float16"),
                                 "its vectors are float32")]:
        with pytest.raises(IndexFolderError, match=f"{words}.*pass overwrite=True to replace it"): build(other, tmp_path/"i", **kw)
    other = toy_encoder(seed=5)
    with pytest.raises(IndexFolderError, match="of these weights"): RagRetriever.from_documents(docs, other, path=tmp_path/"i",
        progress=False)
    assert len(build(docs[1:] + [dict(id="d", text="Text of d.")], tmp_path/"i")) == 3
    assert len(build(docs, tmp_path/"i", overwrite=True, index_kind="hnsw")) == 3 and len(build(docs, tmp_path/"i", index_kind="hnsw")) == 3


def test_documents_from_elsewhere_go(tmp_path):
    "The index mirrors what it is given."
    r = build([dict(id="a", text="Text."), dict(id="z", text="Other.")])
    assert r.sync([dict(id="a", text="Text.")], progress=False) == dict(kept=1, changed=0, added=0, deleted=1, skipped=0,
        embedded=0) and len(r) == 1
    with warnings.catch_warnings(): warnings.simplefilter("error"); assert r.sync([dict(id="b", text="Text.")],
        progress=False)["embedded"] == 0
