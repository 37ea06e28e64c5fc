"Passages and hits beyond their lesson: odd texts, odd files, files from strangers, big look-ups."
import json, os, pickle

import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st

from rag_nb.core import passages as mod
from rag_nb.core.passages import Hits, Passages
from rag_nb.store.readers import read_documents
from rag_nb.core.words import _RUN, has_words, split_passages

pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=400)


# splitting

@given(texts, st.integers(1, 7), st.integers(0, 6))
def test_passages_cover_every_word_in_order(text, n, overlap):
    overlap = min(overlap, n-1)
    spans = split_passages(text, n, overlap)
    words = [m.span() for m in _RUN.finditer(text)]
    assert all(s < e for s, e in spans) and spans == sorted(spans)
    assert all(any(s <= a and b <= e for s, e in spans) for a, b in words)          # every word, whole
    assert all(1 <= len(_RUN.findall(text[s:e])) <= n for s, e in spans)
    if not overlap: assert sum(len(_RUN.findall(text[s:e])) for s, e in spans) == len(words)
    if spans: assert not text[:spans[0][0]].strip() and not text[spans[-1][1]:].strip()


def test_split_is_dprs_for_plain_text():
    words = [f"w{i}" for i in range(250)]
    got = [" ".join(words)[s:e].split() for s, e in split_passages(" ".join(words))]
    assert got == [words[:100], words[100:200], words[200:]]


def test_split_bounds_a_passage_without_spaces():
    assert max(e-s for s, e in split_passages("x"*1_000_000)) <= 100*200
    assert len(split_passages("日本語" * 100)) == 3


@pytest.mark.parametrize("n,overlap", [(0, 0), (-1, 0), (5, 5), (5, -1)])
def test_split_refuses(n, overlap):
    with pytest.raises(ValueError, match="n_words"): split_passages("a b", n, overlap)


# documents

def test_documents_from_every_kind_of_source(tmp_path):
    docs = [{"id": "a", "title": "A", "text": "one two"}, {"id": "b", "title": "B", "text": 'three, "four"\nfive'}]
    (tmp_path/"d.jsonl").write_text("\n".join(map(json.dumps, docs)) + "\n\n", encoding="utf-8-sig")
    (tmp_path/"d.json").write_text(json.dumps(docs))
    (tmp_path/"d.csv").write_text('id,title,text\na,A,one two\nb,B,"three, ""four""\nfive"\n')
    (tmp_path/"d.tsv").write_text('id\ttext\ttitle\na\tone two\tA\nb\t"three, ""four""\nfive"\tB\n')
    pq.write_table(pa.Table.from_pylist([{**d, "embeddings": [1., 2.]} for d in docs]), tmp_path/"d.parquet")
    sources = [docs, iter(docs), tuple(docs), tmp_path/"d.jsonl", str(tmp_path/"d.json"), tmp_path/"d.csv", tmp_path/"d.tsv", tmp_path/"d.parquet"]
    datasets, pandas = pytest.importorskip("datasets"), pytest.importorskip("pandas")
    sources += [datasets.Dataset.from_list(docs), datasets.Dataset.from_list(docs).to_iterable_dataset(), pandas.DataFrame(docs)]
    for s in sources: assert [{k: d[k] for k in ("id", "title", "text")} for d in read_documents(s)] == docs, s


def test_numbers_for_documents_without_an_id():
    assert [d["id"] for d in read_documents(["a", {"text": "b"}, {"text": "c", "id": None}], first_id=7)] == ["7", "8", "9"]
    assert [d["id"] for d in read_documents([{"text": "b", "id": 3}])] == ["3"]


def test_folder_of_texts_stays_in_the_folder(tmp_path):
    outside, inside = tmp_path/"secret", tmp_path/"notes"
    outside.mkdir(); (outside/"x.txt").write_text("secret"); (inside/"deep").mkdir(parents=True)
    (inside/"b.md").write_text("intro\n\n## A title ##\ntext"); (inside/"deep/a.txt").write_bytes(b"line\r\nline"); (inside/"c.py").write_text("no")
    (inside/".hidden.md").write_text("no"); (inside/"link.txt").symlink_to(outside/"x.txt"); (inside/"links").symlink_to(outside)
    os.mkfifo(inside/"pipe.txt")
    with pytest.warns(UserWarning, match="link and is skipped"): docs = list(read_documents(inside))
    assert [(d["id"], d["title"]) for d in docs] == [("b.md", "A title"), ("deep/a.txt", "a")]
    assert docs[1]["text"] == "line\r\nline"                                        # verbatim


@pytest.mark.parametrize("source,error,says", [
    (["a", ""], ValueError, "document 1 has an empty text"),
    ([{"id": "x", "body": "a"}], ValueError, r"document 0 \(id 'x'\) has no text.*'body'"),
    ([{"text": None}], ValueError, "document 0 has no text"),
    ([{"text": 5}], ValueError, "document 0 has no text"),
    ([b"bytes"], TypeError, "not bytes"),
    ([3], TypeError, "not int"),
    ([["a"]], TypeError, "not list"),
    ([{"id": 1, "text": "a"}, {"id": "1", "text": "b"}], ValueError, "'1' was used before"),
    (["\ud800 half"], ValueError, "surrogate"),
    ([], ValueError, "empty"),
    ({"train": []}, TypeError, "one split of a DatasetDict"),
    (None, TypeError, "not as NoneType"),
    ("no/such/file.jsonl", FileNotFoundError, "no file or folder"),
])
def test_bad_documents_are_named(source, error, says):
    with pytest.raises(error, match=says): list(read_documents(source))


@pytest.mark.parametrize("name,content,says", [
    ("a.jsonl", b'{"text": "a"}\n{"text": ', "a.jsonl, line 2: not valid JSON"),
    ("a.jsonl", b'{"text": ' + b"[" * 100_000, "a.jsonl, line 1: not valid JSON"),
    ("a.jsonl", b'{"text": "a", "n": ' + b"1" * 10_000 + b"}", "a.jsonl, line 1: not valid JSON"),
    ("a.jsonl", b'{"text": "caf\xe9"}', "a.jsonl: not UTF-8"),
    ("a.jsonl", b'{"text": "a"}\n3\n', "a.jsonl line 2: a document is a string or a dict"),
    ("a.jsonl", b"\n\n", "it is empty"),
    ("a.json", b'{"text": "a"}', "expected a JSON list"),
    ("a.json", b"[" * 100_000, "a.json: not valid JSON"),
    ("a.csv", b"id,content\n1,a\n", "no column 'text' in its header, which has 'id', 'content'"),
    ("a.csv", b"text,title\na,b,c\n", "line 2: more fields"),
    ("a.csv", b"id,text\n1\n", "a.csv line 2 .* has no text"),
    ("a.csv", b"", "no column 'text'"),
    ("a.csv", b"text\n\xff\xfe\n", "a.csv: not UTF-8"),
    ("a.txt", b"\xff\xfea", "a.txt: not UTF-8"),
    ("a.md", b" \n", "a.md.* has an empty text"),
    ("a.parquet", b"PAR1 no PAR1", "a.parquet: not a readable Parquet"),
    ("a.xlsx", b"PK", r"unknown file type '.xlsx'; known are .jsonl"),
    ("a.pdf", b"%PDF", "a.pdf: not a readable PDF file"),
    ("a.docx", b"PK", "a.docx: not a readable DOCX file"),
    ("a", b"x", "unknown file type ''"),
])
def test_bad_files_are_named(tmp_path, name, content, says):
    (tmp_path/name).write_bytes(content)
    with pytest.raises((ValueError, TypeError), match=says): list(read_documents(tmp_path/name))


def test_parquet_without_text(tmp_path):
    pq.write_table(pa.table({"body": ["a"]}), tmp_path/"x.parquet")
    with pytest.raises(ValueError, match="no column 'text' of strings; it has 'body'"): list(read_documents(tmp_path/"x.parquet"))


def test_a_large_field_in_csv_and_the_limit_afterwards(tmp_path):
    import csv
    before = csv.field_size_limit()
    (tmp_path/"a.csv").write_text("text\n" + "word " * 100_000 + "\n")
    assert len(next(iter(read_documents(tmp_path/"a.csv")))["text"]) == 500_000
    list(read_documents(tmp_path/"a.csv"))
    assert csv.field_size_limit() == before


def test_line_separators_inside_a_json_string_do_not_end_a_line(tmp_path):
    text = "one\u2028two\x85three\x0cfour"
    (tmp_path/"a.jsonl").write_text(json.dumps({"text": text}, ensure_ascii=False) + "\n", encoding="utf-8")
    assert [d["text"] for d in read_documents(tmp_path/"a.jsonl")] == [text]


# passages

def made(n=3000): return Passages({"text": [f"text {i}" for i in range(n)], "title": [f"t{i%7}" for i in range(n)], "document": [str(i//3) for i in range(n)], "id": [f"p{i}" for i in range(n)]})


@given(st.lists(texts.filter(lambda t: has_words(t)), min_size=1, max_size=5), st.integers(1, 4))
@settings(max_examples=40)
def test_text_comes_back_verbatim(tmp_path_factory, docs, n):
    path = tmp_path_factory.mktemp("p")/"p.parquet"
    p = Passages.from_documents(docs, n_words=n)
    p.save(path)
    q = Passages.open(path)
    assert list(q) == list(p) and all(docs[int(x["document"])][x["start"]:x["end"]] == x["text"] for x in q)


def test_meta_keeps_plain_fields():
    import datetime
    doc = {"text": "a", "n": 3, "x": float("nan"), "day": datetime.date(2020, 1, 2), "np": np.float32(.5), "l": [1, "b", None], "v": [.1, .2], "long": [1]*300, "deep": [[1]], "none": None, "ok": True}
    assert Passages.from_documents([doc])[0]["meta"] == {"n": 3, "day": "2020-01-02", "np": .5, "l": [1, "b"], "ok": True}
    assert Passages.from_documents(["a"])[0]["meta"] is None


def test_whole_documents_keep_their_id():
    p = Passages.from_documents([{"id": "x", "text": "  a b  "}], n_words=None)
    assert (p[0]["id"], p[0]["text"], p[0]["start"], p[0]["end"]) == ("x", "  a b  ", 0, 7)


def test_rows_however_asked(tmp_path):
    p = made(); p.save(tmp_path/"p.parquet")
    q = Passages.concat([Passages.open(tmp_path/"p.parquet"), p, Passages.open(tmp_path/"p.parquet")])
    rows = np.random.default_rng(0).integers(-9000, 9000, 200)
    expected = [p[int(i) % 3000] for i in rows]
    for key in (rows, rows.tolist(), torch.from_numpy(rows)): assert q[key] == expected
    mask = np.zeros(9000, bool); mask[[5, 4000]] = True
    assert q[mask] == [p[5], p[1000]] and q[[]] == [] and q[8999:] == [p[-1]] and q[np.int64(-1)] == p[2999]
    assert q.column("id") == p.column("id")*3 and q.rows_of(["0", "999"]).tolist() == [0, 1, 2, 2997, 2998, 2999, 3000, 3001, 3002, 5997, 5998, 5999, 6000, 6001, 6002, 8997, 8998, 8999]
    assert q.select(rows)[:] == expected and q.select([8999, 3]).column("id") == ["p2999", "p3"]
    assert [len(b) for b in q.batches(4000)] == [4000, 4000, 1000]
    for bad in (9000, -9001, [0, 9000], np.array([-9001])):
        with pytest.raises(IndexError, match="outside the 9000 passages"): q[bad]
    for bad in ("a", 1.5, [[1]], np.zeros(3, bool)):
        with pytest.raises(IndexError): q[bad]


@pytest.mark.parametrize("rows", [[0], [2999], [7, 7, 5], [1023, 1024, 0], list(range(40, 90)), [*range(90, 40, -3)], [2047, 1024, 1500], list(range(0, 3000, 5)), [*range(3000)]], ids=lambda r: f"{len(r)} from {r[0]}")
def test_rows_are_the_ones_that_arrow_takes(tmp_path, rows):
    "Close together or far apart, twice or backwards: what Arrow's own `take` gives for the same file."
    made().save(tmp_path/"p.parquet")
    table = pq.read_table(tmp_path/"p.parquet")
    expected = [{**r, "meta": r["meta"] and json.loads(r["meta"])} for r in table.take(rows).to_pylist()]
    assert Passages.open(tmp_path/"p.parquet")[rows] == expected


def test_a_group_is_read_once_however_often_it_is_asked(tmp_path, monkeypatch):
    made(5000).save(tmp_path/"p.parquet")
    q, read = Passages.open(tmp_path/"p.parquet"), []
    batches = mod._File._batches
    monkeypatch.setattr(mod._File, "_batches", lambda self, g, names: (read.append(g), batches(self, g, names))[1])
    q[np.random.default_rng(0).permutation(3000)]
    assert sorted(read) == [0, 1, 2]
    assert pq.ParquetFile(tmp_path/"p.parquet").metadata.row_group(0).num_rows == 1024


def test_opened_passages_survive_pickling_and_removal_of_the_file(tmp_path):
    made().save(tmp_path/"p.parquet")
    q = Passages.open(tmp_path/"p.parquet")
    assert pickle.loads(pickle.dumps(q))[2999] == q[2999]
    os.unlink(tmp_path/"p.parquet")
    assert q[1500]["id"] == "p1500"


def test_parquet_of_others(tmp_path):
    pq.write_table(pa.table({"id": [7, 8], "text": ["a", "b"], "title": ["A", None], "embeddings": [[1.], [2.]]}), tmp_path/"w.parquet")
    p = Passages.open(tmp_path/"w.parquet")
    assert p[1] == {"id": "8", "title": "", "text": "b", "document": "8", "start": 0, "end": 1, "meta": None}
    assert p.column("document") == ["7", "8"] and p.column("end") == [1, 1]
    for columns, says in (({"body": ["a"]}, "need a column 'text'"), ({"text": [b"a"]}, "need a column 'text' of strings"), ({"text": ["a"], "title": [["a"]]}, "nested")):
        pq.write_table(pa.table(columns), tmp_path/"bad.parquet")
        with pytest.raises(ValueError, match=says): Passages.open(tmp_path/"bad.parquet")



@pytest.mark.parametrize("bomb", ["many rows", "a long text"])
def test_a_small_file_of_documents_does_not_fill_the_memory(tmp_path, bomb):
    "Sixty kilobytes that unpack to gigabytes are refused by name, before the memory is full."
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1_000_000 if bomb == "many rows" else 1, np.int32)), pa.array(["a b" if bomb == "many rows" else "word "*15_000_000]))
    pq.write_table(pa.table({"text": rows if bomb == "many rows" else rows.cast(pa.string())}), tmp_path/"bomb.parquet", compression="zstd", use_dictionary=bomb == "many rows")
    assert (tmp_path/"bomb.parquet").stat().st_size < 100_000
    with pytest.raises(ValueError, match="bomb.parquet: unpacks to more than 64 MB from 0.. MB"):
        for n, _ in enumerate(read_documents(tmp_path/"bomb.parquet")): assert n < 300_000


def test_a_flipped_bit_in_a_page_is_seen_when_it_is_read(tmp_path):
    "Each page has a checksum, so that also a file too large to be verified whole gives no other text than was written."
    Passages({"text": [f"passage {i} " + "x"*50 for i in range(3000)]}).save(tmp_path/"p.parquet")
    data = (tmp_path/"p.parquet").read_bytes()
    rng, seen = np.random.default_rng(0), 0
    for _ in range(60):
        b = bytearray(data); b[rng.integers(4, len(b)*9//10)] ^= 1 << int(rng.integers(8)); (tmp_path/"p.parquet").write_bytes(b)
        try: assert Passages.open(tmp_path/"p.parquet").column("text") == [f"passage {i} " + "x"*50 for i in range(3000)]
        except ValueError as e: assert "p.parquet" in str(e); seen += 1
    assert seen > 8                                                                        # flips elsewhere than in the pages of this column change nothing


def test_a_small_file_cannot_ask_for_much_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(mod, "MAX_GROUP", 2**22)
    pq.write_table(pa.table({"text": ["x"*2**20]*64}), tmp_path/"bomb.parquet", compression="zstd")      # 64 MB in some kB
    assert (tmp_path/"bomb.parquet").stat().st_size < 2**20
    with pytest.raises(ValueError, match="bomb.parquet: row group 0 is larger than 4 MB"): Passages.open(tmp_path/"bomb.parquet")[0]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_parquet_file_is_an_error_or_still_readable(tmp_path, seed):
    made(1500).save(tmp_path/"p.parquet")
    b, rng = bytearray((tmp_path/"p.parquet").read_bytes()), np.random.default_rng(seed)
    if seed % 2: b = b[:rng.integers(len(b))]
    else:
        for i in rng.integers(0, len(b), 5): b[i] ^= 1 << int(rng.integers(8))
    (tmp_path/"p.parquet").write_bytes(b)
    try: Passages.open(tmp_path/"p.parquet")[[0, 1499]]
    except (ValueError, IndexError) as e: assert "p.parquet" in str(e) or isinstance(e, IndexError)


def test_meta_from_a_stranger(tmp_path):
    pq.write_table(pa.table({"text": ["a"], "meta": ["[" * 100_000]}), tmp_path/"m.parquet")
    with pytest.raises(ValueError, match="meta is not JSON"): Passages.open(tmp_path/"m.parquet")[0]


# hits

def hits(B=3, K=4, D=2):
    ids = torch.arange(B*K).view(B, K); ids[-1, -2:] = -1
    return Hits(ids, torch.linspace(1, 0, B*K).view(B, K), vectors=torch.arange(B*K*D).float().view(B, K, D)).with_passages(made(20))


def test_nothing_found_is_masked_everywhere():
    h = hits()
    assert h.mask.tolist()[-1] == [True, True, False, False] and (h.scores[~h.mask] == -torch.inf).all() and (h.ids[~h.mask] == -1).all()
    assert torch.softmax(h.scores, 1)[-1, 2:].tolist() == [0, 0] and len(h.documents(2)) == 2 and h.passages[2][2:] == [None, None]
    none = Hits([[-1, -1]], [[0, 0]]).with_passages(made(2))
    assert none.documents() == [] and "nothing found" in repr(none)


def test_a_mask_wins_over_ids():
    h = Hits([[1, 2]], [[.5, .4]], mask=[[False, True]])
    assert h.ids.tolist() == [[-1, 2]] and h.scores[0, 0] == -torch.inf


def test_dtypes_and_gradients():
    s = torch.tensor([[1., 2.]], dtype=torch.bfloat16, requires_grad=True)
    h = Hits([[3, -1]], s, vectors=torch.zeros(1, 2, 3).half())
    assert h.scores.dtype == torch.float32 and h.vectors.dtype == torch.float32 and h.ids.dtype == torch.int64
    torch.softmax(h.scores, 1).sum().backward()
    assert torch.isfinite(s.grad).all()


@pytest.mark.parametrize("bad", [dict(ids=[1, 2], scores=[1, 2]), dict(ids=[[1]], scores=[[1, 2]]), dict(ids=[[1]], scores=[[1]], mask=[[True, True]]),
    dict(ids=[[1]], scores=[[1]], vectors=torch.zeros(1, 1)), dict(ids=[[1]], scores=[[1]], vectors=torch.zeros(1, 2, 3)), dict(ids=[[1]], scores=[[1]], passages=[[None]*2])])
def test_shapes_must_fit(bad):
    with pytest.raises(ValueError): Hits(**bad)


def test_choosing():
    h = hits()
    assert h[0].shape == (1, 4) and h[-1].ids.tolist() == h.ids[-1:].tolist() and h[[2, 0]].shape == (2, 4) and h[:2].passages == h.passages[:2]
    assert h.keep([2, 0]).ids.tolist() == h.ids[:, [2, 0]].tolist() and h.keep([True, False, False, True]).shape == (3, 2) and h.keep(slice(1, 3)).vectors.shape == (3, 2, 2)
    assert h.head(2).passages == [r[:2] for r in h.passages] and h.head(9).shape == (3, 4)
    assert torch.equal(h.without(1).vectors, h.vectors[:, [0, 2, 3]]) and h.without(-1).shape == (3, 3)
    one = h.without(1, b=0)
    assert one.shape == h.shape and not one.mask[0, 1] and one.mask[1, 1] and h.mask[0, 1]     # the value itself is unchanged
    for bad in (3, -4):
        with pytest.raises(IndexError): h[bad]
    with pytest.raises(IndexError): h.without(4)
    with pytest.raises(TypeError): h.without(0, 1)
    assert [x.shape for x in h] == [(1, 4)]*3 and h.to("cpu").passages is h.passages


def test_made_by_hand():
    h = Hits.of([[{"text": "a", "title": "A", "id": "x"}, "b"], ["c"]])
    assert h.shape == (2, 2) and h.mask.tolist() == [[True, True], [True, False]] and h.documents()[0] == dict(rank=1, doc=0, row=0, id="x", title="A", text="a", score=0.)
    assert Hits.of([[]]).shape == (1, 0) and Hits.of([["a"]], vectors=torch.zeros(1, 1, 3)).vectors.shape == (1, 1, 3)
    for bad in ([], ["a"], [{"text": "a"}]):
        with pytest.raises(ValueError, match="one list of documents"): Hits.of(bad)
    with pytest.raises(ValueError, match="scores for"): Hits.of([["a", "b"]], scores=[[1]])


def test_repr_of_hostile_titles():
    r = repr(Hits.of([[{"text": "x", "title": "a\x1b]0;owned\x07\n\u202eb"}]]))
    assert "\x1b" not in r and "\x07" not in r and "\u202e" not in r and len(r.splitlines()) == 2


def test_a_damaged_neighbour_is_not_decoded():
    "Rows 0 and 2 are wanted, and row 1 is no text."
    import pyarrow as pa
    from rag_nb.core.passages import _picked
    text = pa.Array.from_buffers(pa.string(), 3, [None, pa.py_buffer(np.array([0, 1, 2, 3], np.int32).tobytes()), pa.py_buffer(b"a\xffc")])
    assert _picked(pa.table({"text": text}), [0, 2]) == {"text": ["a", "c"]}


def test_one_thread_at_a_time_reads_a_parquet_file(tmp_path):
    "A column is read beside rows and other columns: pyarrow's reader is never entered by two threads."
    import threading
    from concurrent.futures import ThreadPoolExecutor
    docs = [{"id": str(i), "title": f"t{i}", "text": f"text {i}"} for i in range(3000)]
    Passages.from_documents(docs, n_words=None).save(tmp_path/"p.parquet")
    passages = Passages.open(tmp_path/"p.parquet")
    part, inside, most, count = passages.parts[0], [0], [0], threading.Lock()

    class Watched:
        "The reader, and how many threads are in it."
        def __init__(self, file): self.file = file
        def __getattr__(self, name): return getattr(self.file, name)
        def iter_batches(self, *args, **kwargs):
            with count: inside[0] += 1; most[0] = max(most[0], inside[0])
            try: yield from self.file.iter_batches(*args, **kwargs)
            finally:
                with count: inside[0] -= 1

    part.file = Watched(part.file)
    ask = [lambda: passages.column("title"), lambda: [passages[i]["title"] for i in range(0, 3000, 500)], lambda: passages.column("text")]
    with ThreadPoolExecutor(6) as pool: got = [f.result() for f in [pool.submit(ask[i % 3]) for i in range(12)]]
    assert most[0] == 1
    assert got[0] == [f"t{i}" for i in range(3000)] and got[1] == [f"t{i}" for i in range(0, 3000, 500)]
