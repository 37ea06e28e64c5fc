"Everything that people and published sets keep documents and questions in: tiny files in their own form, and what may not be lost."
import dataclasses, gzip, io, json, zipfile
from collections import namedtuple
from types import SimpleNamespace

import numpy as np, pandas as pd, pytest

from rag_nb import Passages, RagRetriever, read_documents, read_questions
from rag_nb.scale.batch import _rows, count_questions
from rag_nb.store.readers import READERS, first_heading, plain_text
from rag_nb.core.toy import toy_encoder

pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
ids = lambda source, **kw: [d["id"] for d in read_documents(source, **kw)]
fields = lambda source, *names, **kw: [tuple(d[n] for n in names) for d in read_documents(source, **kw)]


def pdf(*pages, title=None, encrypt=False):
    "A PDF file with a line of text on each page, written by hand."
    out, places = io.BytesIO(b"%PDF-1.4\n"), []
    out.seek(0, 2)
    def put(body): places.append(out.tell()); out.write(b"%d 0 obj\n%s\nendobj\n" % (len(places), body))
    n = len(pages)
    put(b"<</Type/Catalog/Pages 2 0 R>>"); put(b"<</Type/Pages/Count %d/Kids[%s]>>" % (n, b" ".join(b"%d 0 R" % (4 + 2*i) for i in range(n))))
    put(b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>")
    for i, text in enumerate(pages):
        put(b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>" % (5 + 2*i))
        body = b"BT /F1 12 Tf 50 700 Td (%s) Tj ET" % text.encode() if text else b""
        put(b"<</Length %d>>\nstream\n%s\nendstream" % (len(body), body))
    if title: put(b"<</Title (%s)>>" % title.encode())
    at = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1) + b"".join(b"%010d 00000 n \n" % p for p in places))
    out.write(b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, b"/Info %d 0 R" % len(places) if title else b"", at))
    return out.getvalue()


def docx(path):
    made = pytest.importorskip("docx").Document()
    made.add_heading("Boats", 1); made.add_paragraph("A boat floats. " + "water " * 100); made.add_heading("Oars", 2); made.add_paragraph("An oar rows.")
    row = made.add_table(1, 2).rows[0]; row.cells[0].text, row.cells[1].text = "length", "3 m"
    made.save(path)


# Nothing is lost in silence

TSV = 'id\ttitle\ttext\n1\tA\tThe first row.\n2\tB\t"To be, he said.\n3\tC\tA plain row.\n4\tD\tAnother.\n'
@pytest.mark.parametrize("name, body, line", [
    ("a.tsv", TSV, 3), ("a.csv", TSV.replace(", ", " ").replace("\t", ","), 3), ("a.csv", 'id,text\n1,"a ""b"" c"\n2,"open\n3,x\n4,"y"\n', 3), ("a.csv", 'id,text\n1,"two\nlines"\n2,"a" b\n', 4),
    ("a.csv", '"id,text\n1,a\n2,b\n', 1), ("a.tsv", 'id\ttext\n1\t"To be\n2\tthe rest\n3\tnot to be"\n4\tx\n', 2), ("a.tsv", TSV.replace("\n", "\r\n"), 3)])
def test_a_quotation_mark_that_is_not_closed_is_named(tmp_path, name, body, line):
    for packed in (False, True):
        path = tmp_path/(name + ".gz"*packed)
        path.write_bytes(gzip.compress(body.encode()) if packed else body.encode())
        with pytest.raises(ValueError, match=rf"{path.name}, line {line}: .*quotation mark"): list(read_documents(path))
        if "title" not in body: continue
        with pytest.raises(ValueError, match=rf"{path.name}, line {line}: .*quotation mark"): read_questions(path, columns={"text": "question", "title": "answer"})


def test_a_batch_file_is_refused_before_its_first_question_is_asked(tmp_path):
    (tmp_path/"q.tsv").write_text('id\tquestion\n1\tWho?\n2\t"What is this\n3\tWhy?\n4\tWhen?\n')
    with pytest.raises(ValueError, match="q.tsv, line 3: a quotation mark"): count_questions(tmp_path/"q.tsv")


def test_rows_in_a_field_of_csv_are_warned_about(tmp_path):
    (tmp_path/"a.csv").write_text('id,text\n1,"To be\n2,the rest\n3,not to be"\n4,x\n')
    with pytest.warns(UserWarning, match=r"a.csv, line 2: a field .* holds what looks like rows of the table \('2,the rest'\)"): assert ids(tmp_path/"a.csv") == ["1", "4"]
    (tmp_path/"b.csv").write_text('id,text\n1,"a list:\nplums, pears\n"\n')                # a text with commas and lines is nothing strange
    assert fields(tmp_path/"b.csv", "text") == [("a list:\nplums, pears\n",)]


@pytest.mark.parametrize("body, says", [("id,text,text\n1,a,b\n", "two columns of its header are called 'text'"), ("id text\n1 a\n", "no column 'text'")])
def test_headers_that_lose_a_column(tmp_path, body, says):
    (tmp_path/"a.csv").write_text(body)
    with pytest.raises(ValueError, match=says): list(read_documents(tmp_path/"a.csv"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
def test_what_parts_the_fields_is_seen(tmp_path, name):
    "Semicolons, as spreadsheets write them where the comma is decimal, tabs and bars; Excel's own line before the header; renamed columns."
    import gzip
    write = lambda text: (tmp_path/name).write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    for d in ",;\t|":
        write(f'id{d}title{d}text{d}price\n1{d}A{d}"One{d} and, two; three"{d}"1,5"\n2{d}B{d}Plain{d}2\n')
        assert fields(tmp_path/name, "id", "title", "text") == [("1", "A", f"One{d} and, two; three"), ("2", "B", "Plain")]
    write("sep=;\r\nid;text\r\n1;a, b\r\n2;c\r\n")
    assert fields(tmp_path/name, "id", "text") == [("1", "a, b"), ("2", "c")]
    write("nr;inhalt\n1;a\n")
    assert [d["text"] for d in read_documents(tmp_path/name, columns={"inhalt": "text"})] == ["a"]
    write('frage;antwort\nWas ist Tee?;ein Getränk\n')
    from rag_nb import read_questions
    assert read_questions(tmp_path/name, columns={"frage": "question", "antwort": "answer"})[0]["answers"] == ["ein Getränk"]


def test_as_many_rows_as_pandas_reads(tmp_path):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list('ab,"\n\t '), 12)) + "x" for _ in range(300)]
    for name, sep in (("a.csv", ","), ("a.tsv", "\t")):
        pd.DataFrame({"id": range(300), "text": texts}).to_csv(tmp_path/name, sep=sep, index=False)
        frame = pd.read_csv(tmp_path/name, sep=sep)
        try: found = fields(tmp_path/name, "id", "text")
        except ValueError as e: assert name == "a.tsv" and "looks like rows" in str(e); continue
        assert found == [(str(i), t) for i, t in zip(frame["id"], frame["text"])]


@pytest.mark.parametrize("value, text", [(None, ""), (float("nan"), ""), (pd.NA, ""), (pd.NaT, ""), (np.float32("nan"), ""), (1.0, "1"), (np.float64(7), "7"), (np.int64(7), "7"), (1.5, "1.5"), ("1.0", "1.0"), (True, "True"), ({"$oid": "ab"}, "ab")])
def test_values_as_text(value, text): assert plain_text(value) == text


def test_tables_with_gaps():
    assert fields(pd.DataFrame([{"title": None, "text": "Lit in 1698."}, {"title": "A", "text": "B c."}]), "title") == [("",), ("A",)]
    assert ids(pd.DataFrame({"id": [7, None, 9], "text": ["a", "b", "c"]})) == ["7", "1", "9"]
    assert ids(pd.DataFrame({"id": pd.array([7, None], dtype="Int64"), "text": ["a", "b"]})) == ["7", "1"]
    assert ids(pd.DataFrame({"id": ["x", "y"], "text": ["a", "b"]}).set_index("id")) == ["x", "y"]
    assert ids(pa.table({"id": [1.0, 2.0], "text": ["a", "b"]})) == ["1", "2"]
    with pytest.raises(ValueError, match="document 1 has no text"): list(read_documents(pd.DataFrame({"text": ["a", None]})))
    q = read_questions(pd.DataFrame({"question": ["a?", "b?"], "answer": [1811, None], "document_id": [3, None]}), skip_unanswered=True)
    assert q.column("answers") == [["1811"]] and q.column("document_ids") == [["3"]]
    assert read_questions([dict(question="a?", answers=[1811.0, 1.5])]).column("answers") == [["1811", "1.5"]]


def test_columns_rename_and_must_be_there(tmp_path):
    (tmp_path/"a.csv").write_text("nr,inhalt,name\n4,Der Text.,T\n")
    assert fields(tmp_path/"a.csv", "id", "title", "text", columns={"nr": "id", "inhalt": "text", "name": "title"}) == [("4", "T", "Der Text.")]
    with pytest.raises(ValueError, match="columns={'its name': 'text'} says which one"): list(read_documents(tmp_path/"a.csv"))
    with pytest.raises(ValueError, match="columns= names 'titel', which no record"): list(read_documents([{"text": "a", "title": "b"}], columns={"titel": "title"}))
    with pytest.raises(TypeError, match="columns= names a source's column and ours"): read_documents([{"text": "a"}], columns={"text": 3})
    q = read_questions([{"frage": "Wer?", "antwort": "Ada"}], columns={"frage": "question", "antwort": "answer"})
    assert q[0]["question"] == "Wer?" and q[0]["answers"] == ["Ada"]
    pq.write_table(pa.table({"inhalt": ["a b"], "v": [[.1, .2]]}), tmp_path/"a.parquet")
    assert fields(tmp_path/"a.parquet", "text", columns={"inhalt": "text"}) == [("a b",)]
    assert Passages.from_documents([{"inhalt": "a b"}], columns={"inhalt": "text"})[0]["text"] == "a b"


# The forms of published sets

@pytest.mark.parametrize("raw, wanted", [
    ({"_id": 7, "title": "T", "text": "A text.", "metadata": {"url": "u"}}, dict(id="7", title="T", text="A text.", url="u")),                                        # BEIR, MTEB
    ({"id": "3", "contents": '"Ada Lovelace"\nShe wrote a program.'}, dict(id="3", title="Ada Lovelace", text="She wrote a program.")),                                # FlashRAG
    ({"id": "3", "contents": "No title.\nA line."}, dict(id="3", title="", text="No title.\nA line.")),                                                                # Pyserini
    ({"pid": "msmarco_passage_00_1", "passage": "A passage.", "spans": "(0,10)", "docid": "d"}, dict(id="d", text="A passage.")),                                      # MS MARCO v2, passages
    ({"docid": "D1", "url": "u", "title": "T", "headings": "h", "body": "The body."}, dict(id="D1", title="T", text="The body.", url="u")),                            # MS MARCO v2, documents
    ({"_id": "290", "wikipedia_id": "290", "wikipedia_title": "A", "text": ["A\n", "A is a letter.\n"]}, dict(id="290", title="A", text="A\nA is a letter.\n")),        # KILT's Wikipedia
    ({"id": "12", "title": "Anarchism", "text": ["It is a philosophy.", " It is old."]}, dict(id="12", title="Anarchism", text="It is a philosophy. It is old.")),      # HotpotQA's Wikipedia
    ({"id": "1", "text": "Aaron is a prophet.", "title": "Aaron"}, dict(id="1", title="Aaron", text="Aaron is a prophet.")),                                           # DPR
    ({"page_content": "A page.", "metadata": {"source": "a.pdf", "page": 3}, "type": "Document"}, dict(id="0", text="A page.", source="a.pdf", page=3)),               # LangChain, as JSON
    ({"id": "h", "content": "Content.", "meta": {"name": "n"}}, dict(id="h", text="Content.", name="n"))])                                                             # Haystack, as JSON
def test_documents_of_published_corpora(tmp_path, raw, wanted):
    (tmp_path/"d.jsonl").write_text(json.dumps(raw)); (tmp_path/"d.json").write_text(json.dumps([raw]))
    for source in ([raw], tmp_path/"d.jsonl", tmp_path/"d.json"):
        doc = next(read_documents(source))
        assert {k: doc[k] for k in wanted} == wanted, source


@dataclasses.dataclass
class Haystack: id: str; content: str; meta: dict; blob: object = None; score: float = None
Row = namedtuple("Row", "id title text")
@dataclasses.dataclass
class Mine: text: str; title: str = "t"

@pytest.mark.parametrize("made, wanted", [
    (SimpleNamespace(page_content="A b.", metadata={"source": "s", "title": "T"}, id=None, type="Document"), dict(id="0", title="T", text="A b.", source="s")),
    (SimpleNamespace(text="A b.", metadata={"file_name": "f"}, id_="n1", embedding=None), dict(id="n1", text="A b.", file_name="f")),
    (SimpleNamespace(node=SimpleNamespace(text="A b.", metadata={}, id_="n1"), score=.5), dict(id="n1", text="A b.")),
    (Haystack("h1", "A b.", {"year": 1999}), dict(id="h1", text="A b.", year=1999)), (Row("r", "T", "A b."), dict(id="r", title="T", text="A b.")), (Mine("A b."), dict(id="0", title="t", text="A b."))])
def test_documents_of_other_libraries(made, wanted):
    doc = next(read_documents([made]))
    assert {k: doc[k] for k in wanted} == wanted


QUESTIONS = {
    "squad": ({"id": "q", "title": "Bach", "context": "Bach was in Leipzig.", "question": "Where?", "answers": {"text": ["Leipzig"], "answer_start": [12]}}, "q", "Where?", ["Leipzig"], ["0"]),
    "natural questions": ({"question": "who was first", "answer": ["Ada", "Lovelace"]}, "0", "who was first", ["Ada", "Lovelace"], []),
    "flashrag": ({"id": "test_0", "question": "who?", "golden_answers": ["Ada"], "metadata": {"of": "nq"}}, "test_0", "who?", ["Ada"], []),
    "triviaqa": ({"question": "Who?", "question_id": "tc_1", "answer": {"value": "Ada", "aliases": ["A. L."], "normalized_value": "ada"}}, "tc_1", "Who?", ["Ada", "A. L."], []),
    "triviaqa as published": ({"Question": "Who?", "QuestionId": "tc_1", "Answer": {"Value": "Ada", "Aliases": ["A. L."], "NormalizedValue": "ada"}}, "tc_1", "Who?", ["Ada", "A. L."], []),
    "popqa": ({"id": 4222362, "subj": "George", "prop": "occupation", "question": "What is his job?", "possible_answers": '["politician", "polit."]'}, "4222362", "What is his job?", ["politician", "polit."], []),
    "kilt": ({"id": "k", "input": "who?", "output": [{"answer": "Ada", "provenance": [{"wikipedia_id": "290", "title": "A"}]}, {"answer": "Lovelace"}, {"provenance": [{"wikipedia_id": "290"}]}]}, "k", "who?", ["Ada", "Lovelace"], ["290"]),
    "boolq": ({"question": "is it so", "title": "T", "answer": True, "passage": "It is so."}, "0", "is it so", ["yes"], ["0"]),
    "boolq, no": ({"question": "is it so", "answer": False, "passage": "It is not."}, "0", "is it so", ["no"], ["0"]),
    "hotpotqa": ({"_id": "5a", "question": "Which?", "answer": "Rhine", "supporting_facts": [["Rhine", 0]], "context": [["Oder", ["The Oder."]], ["Rhine", ["The Rhine.", " Long."]]]}, "5a", "Which?", ["Rhine"], ["1"]),
    "hotpotqa of datasets": ({"id": "5a", "question": "Which?", "answer": "Rhine", "supporting_facts": {"title": ["Rhine"], "sent_id": [0]}, "context": {"title": ["Oder", "Rhine"], "sentences": [["The Oder."], ["The Rhine."]]}}, "5a", "Which?", ["Rhine"], ["1"]),
    "ms marco": ({"query_id": 19699, "query": "what is it", "answers": ["a thing"], "passages": {"is_selected": [0, 1], "passage_text": ["Other.", "A thing."], "url": ["u", "v"]}}, "19699", "what is it", ["a thing"], ["1"]),
    "dpr": ({"question": "who?", "answers": ["Ada"], "positive_ctxs": [{"title": "A", "text": "Ada it was.", "passage_id": "11"}], "negative_ctxs": []}, "0", "who?", ["Ada"], ["11"])}

@pytest.mark.parametrize("name", QUESTIONS)
def test_questions_of_published_sets(tmp_path, name):
    raw, key, question, answers, documents = QUESTIONS[name]
    (tmp_path/"q.jsonl").write_text(json.dumps(raw)); (tmp_path/"q.json").write_text(json.dumps({"Data": [raw]} if "published" in name else [raw]))
    pq.write_table(pa.Table.from_pylist([raw if "hotpotqa" != name else QUESTIONS["hotpotqa of datasets"][0]]), tmp_path/"q.parquet")
    for source in ([raw], tmp_path/"q.jsonl", tmp_path/"q.json", tmp_path/"q.parquet"):
        q = read_questions(source)
        assert (q[0]["id"], q[0]["question"], q[0]["answers"], q[0]["document_ids"]) == (key, question, answers, documents), source
    assert [(r.id, r.question, r.error) for r in _rows(tmp_path/"q.jsonl")] == [(key, question, None)]
    assert not documents or name == "kilt" or set(documents) <= {d["id"] for d in q.documents()}


def test_questions_without_an_answer_are_none_in_ms_marco():
    raw = dict(QUESTIONS["ms marco"][0], answers=["No Answer Present."])
    with pytest.raises(ValueError, match="skip_unanswered"): read_questions([raw])


def test_ms_marcos_files_without_a_header(tmp_path):
    (tmp_path/"collection.tsv").write_text('0\tThe presence of "amid" success.\n1\t"Quoted" at first, and never closed: "x\n')
    assert fields(tmp_path/"collection.tsv", "id", "text") == [("0", 'The presence of "amid" success.'), ("1", '"Quoted" at first, and never closed: "x')]
    (tmp_path/"queries.tsv").write_text("1048585\twhat is paula deen's brother\n2\t androgen receptor define\n")
    assert [(r.id, r.question) for r in _rows(tmp_path/"queries.tsv")] == [("1048585", "what is paula deen's brother"), ("2", " androgen receptor define")]
    (tmp_path/"queries.jsonl").write_text('{"_id": "0", "text": "what is it", "metadata": {}}\n')   # BEIR
    assert [(r.id, r.question) for r in _rows(tmp_path/"queries.jsonl")] == [("0", "what is it")]


def test_beir_is_found_by_its_own_ids():
    "Questions that name document 7 find it under that name."
    docs = [{"_id": 7, "title": "Tides", "text": "The sea rises twice a day."}, {"_id": 8, "title": "Bees", "text": "Bees dance."}]
    retriever = RagRetriever.from_documents(docs, toy_encoder(), progress=False)
    assert retriever.find("The sea rises twice a day.", 1).documents(0)[0]["id"].startswith("7")


# Files of one document

@pytest.mark.parametrize("text, title", [
    ("```sh\n# update the list\napt update\n```\n\n## Install\n", "Install"), ("~~~\n# no\n```\n# no\n~~~\n# Yes #\n", "Yes"), ("Title\n=====\ntext", "Title"), ("Two\nlines\n---\ntext", "Two lines"), ("- a\n---\n\n### Three", "Three"),
    ("text\n\n---\n\n# After", "After"), ("    # code\n\n# Real", "Real"), ("#hashtag\n\n# Real", "Real"), ("no heading", "n"), ("````\n```\n# in\n````\n# out", "out"), ("```\n# never closed", "n"), ("   # Indented", "Indented"),
    ("---\ntitle: The real title\n---\n# Other\n", "The real title"), ('+++\ntitle = "Toml title"\n+++\ntext', "Toml title"), ("---\ntitle: A: b\nx\n---\ntext", "A: b"), ("---\nauthor: me\n---\n# Heading\n", "Heading"), ("---\r\ntitle: Windows\r\n---\r\ntext", "Windows")])
def test_titles_of_markdown(tmp_path, text, title):
    for name in ("n.md", "n.markdown"):
        (tmp_path/name).write_bytes(text.encode())
        assert fields(tmp_path/name, "title") == [(title,)]


def test_front_matter_goes_to_meta_and_leaves_the_text(tmp_path):
    (tmp_path/"n.md").write_text("---\ntitle: The real title\ndate: 2024-01-02\ndraft: false\nid: other\n---\nThe text.\n")
    p = Passages.from_documents(tmp_path/"n.md")[0]
    assert (p["title"], p["text"], p["document"], p["meta"]) == ("The real title", "The text.", "n.md", {"date": "2024-01-02", "draft": False})
    (tmp_path/"n.md").write_text("---\nNo matter, only prose between rules.\n---\nThe text.\n")
    assert fields(tmp_path/"n.md", "text")[0][0].startswith("---\nNo matter")
    assert first_heading("") is None


def test_files_of_every_kind_in_one_folder(tmp_path):
    "One file of each kind and two broken ones: all that can be read is there, the rest is named."
    f = tmp_path/"all"; (f/"deep").mkdir(parents=True)
    (f/"a.md").write_text("# A title\ntext"); (f/"b.markdown").write_text("text b"); (f/"c.rst").write_text("Rest title\n==========\n\ntext c"); (f/"deep/d.txt").write_text("text d")
    (f/"e.html").write_text("<html><head><title>Page &amp; title</title><style>p{}</style></head><body><h1>Head</h1><p>Words <b>in</b>side.<script>no()</script><ul><li>one<li>two</ul>")
    (f/"f.pdf").write_bytes(pdf("The first page.", "The second page.", title="A paper")); docx(f/"g.docx")
    (f/"h.csv").write_text("id,text\nh1,text h\n"); (f/"i.tsv").write_text("text\ttitle\ntext i\tI\n"); (f/"j.json").write_text('["text j"]'); (f/"k.jsonl").write_text('{"text": "text k"}\n{"text": "text k2", "id": "kk"}\n')
    (f/"l.ndjson").write_text('{"text": "text l"}\n'); pq.write_table(pa.table({"text": ["text m"]}), f/"m.parquet"); (f/"o.txt.gz").write_bytes(gzip.compress(b"text o"))
    (f/"n.ipynb").write_text(json.dumps({"nbformat": 4, "cells": [{"cell_type": "markdown", "source": ["# A lesson\n", "text n"]}, {"cell_type": "code", "source": "1 + 1", "outputs": [{"text": "secret"}]}]}))
    (f/"x.png").write_bytes(b"\x89PNG"); (f/"config.json").write_text('{"a": 1}'); (f/"numbers.csv").write_text("a,b\n1,2\n")
    with pytest.warns(UserWarning, match=r"left out 3 files: 1 .json, 1 .csv \(they have no column 'text'.*; 1 .png \(no reader knows them"): whole = list(read_documents(f))
    wanted = {"a.md": "A title", "b.markdown": "b", "c.rst": "Rest title", "deep/d.txt": "d", "e.html": "Page & title", "f.pdf": "A paper", "g.docx": "Boats", "h1": "", "i.tsv#0": "I", "j.json#0": "", "k.jsonl#0": "", "kk": "",
              "l.ndjson#0": "", "m.parquet#0": "", "o.txt.gz": "o", "n.ipynb": "A lesson"}
    assert {d["id"]: d["title"] for d in whole} == wanted
    text = {d["id"]: d["text"] for d in whole}
    assert text["e.html"] == "Head\nWords inside.\none\ntwo\n" and text["n.ipynb"] == "# A lesson\ntext n\n\n1 + 1" and "secret" not in str(whole)
    (f/"bad.txt").write_bytes("Köln".encode("latin1")); (f/"empty.md").write_text("")
    with pytest.raises(ValueError, match="bad.txt: not UTF-8"): list(read_documents(f))
    with pytest.warns(UserWarning, match="2 of 18 documents were skipped; the first, bad.txt: .*not UTF-8"): p = Passages.from_documents(f, errors="skip")
    assert set(p.column("document")) == set(wanted) and {s["document"] for s in p.skipped} == {"bad.txt", "empty.md", "x.png", "config.json", "numbers.csv"}
    with pytest.warns(UserWarning, match="2 of 18"): retriever = RagRetriever.from_documents(f, toy_encoder(), progress=False, errors="skip", path=tmp_path/"index")
    assert [s["document"] for s in retriever.skipped][:2] == ["bad.txt", "empty.md"]
    moved = f.rename(tmp_path/"elsewhere")
    with pytest.warns(UserWarning): assert {d["id"] for d in read_documents(moved, errors="skip")} == set(wanted)      # the ids are relative to the folder


def test_pages_and_headings_are_in_the_meta(tmp_path):
    (tmp_path/"f.pdf").write_bytes(pdf(*("Page number %d has words. " % n + "word " * 60 for n in (1, 2, 3)))); docx(tmp_path/"g.docx")
    (tmp_path/"h.html").write_text("<h1>One</h1>" + "<p>word " * 120 + "<h2>Two <i>deep</i></h2>" + "<p>word " * 120)
    pages = [p["meta"]["page"] for p in Passages.from_documents(tmp_path/"f.pdf", n_words=30)]
    assert pages == sorted(pages) and set(pages) == {1, 2, 3}
    assert [p["meta"]["heading"] for p in Passages.from_documents(tmp_path/"g.docx", n_words=100)] == ["Boats", "Boats"]
    assert {p["meta"]["heading"] for p in Passages.from_documents(tmp_path/"h.html")} == {"One", "Two deep"}
    assert "length\t3 m" in next(read_documents(tmp_path/"g.docx"))["text"]


def test_html_in_the_encoding_that_it_declares(tmp_path):
    (tmp_path/"a.html").write_bytes("<meta charset='iso-8859-1'><p>Köln".encode("latin1")); (tmp_path/"b.html").write_bytes("<p>Köln".encode("latin1"))
    assert fields(tmp_path/"a.html", "text", "title") == [("Köln", "a")]
    with pytest.raises(ValueError, match="b.html: not UTF-8"): list(read_documents(tmp_path/"b.html"))
    for name in ("punycode", "undefined", "rot13", "nonesuch"):
        (tmp_path/"c.html").write_bytes(f"<meta charset={name}><p>K".encode() + b"\xff")
        with pytest.raises(ValueError, match="c.html: not UTF-8"): list(read_documents(tmp_path/"c.html"))


def test_lists_of_files(tmp_path, monkeypatch):
    (tmp_path/"a").mkdir(); (tmp_path/"b").mkdir()
    (tmp_path/"a/wifi.md").write_text("text a"); (tmp_path/"b/wifi.md").write_text("text b"); (tmp_path/"b/c.jsonl").write_text('{"text": "text c"}')
    files = [tmp_path/"a/wifi.md", tmp_path/"b/wifi.md", tmp_path/"b/c.jsonl"]
    for source in (files, list(map(str, files)), iter(files), sorted(tmp_path.rglob("*.*")), tmp_path): assert sorted(ids(source)) == ["a/wifi.md", "b/c.jsonl#0", "b/wifi.md"]
    assert sorted(ids([tmp_path/"a", tmp_path/"b"])) == ["a/wifi.md", "b/c.jsonl#0", "b/wifi.md"] and ids([str(files[0])]) == ["wifi.md"]
    with pytest.warns(UserWarning, match="1 of 2 strings are names of files"): assert fields([str(files[0]), "a text"], "text") == [(str(files[0]),), ("a text",)]
    with pytest.raises(FileNotFoundError, match="no file or folder"): read_documents([tmp_path/"gone.md"])
    (tmp_path/"q.jsonl").write_text('{"question": "Who?", "answer": "Ada"}')
    assert len(read_questions([tmp_path/"q.jsonl"])) == len(read_questions([str(tmp_path/"q.jsonl")])) == 1


def test_a_folder_of_pdf_files_without_the_extra_is_not_empty(tmp_path, monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, "pypdf", None)
    for i in range(3): (tmp_path/f"{i}.pdf").write_bytes(pdf("x"))
    with pytest.raises(ValueError, match=r'left out 3 files: 3 .pdf \(pip install "rag_nb\[files\]" reads them\)'): list(read_documents(tmp_path))
    (tmp_path/"a.txt").write_text("text")
    with pytest.warns(UserWarning, match="left out 3 files: 3 .pdf"): assert ids(tmp_path) == ["a.txt"]
    with pytest.raises(ImportError, match=r'0.pdf: reading .pdf needs an extra: pip install "rag_nb\[files\]"'): list(read_documents(tmp_path/"0.pdf"))


def test_an_index_folder_is_no_folder_of_documents(tmp_path):
    (tmp_path/"a.txt").write_text("text a")
    RagRetriever.from_documents(tmp_path, toy_encoder(), progress=False, path=tmp_path/"index")
    assert ids(tmp_path) == ["a.txt"]


# Files from strangers

@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.gz", "a.csv.gz", "a.json.gz", "a.md.gz", "a.html.gz"])
def test_a_small_gz_does_not_fill_the_memory(tmp_path, name):
    head = {"a.csv.gz": b"text\n", "a.jsonl.gz": b'{"text": "', "a.json.gz": b'["'}.get(name, b"")
    (tmp_path/name).write_bytes(gzip.compress(head + b"word " * 20_000_000, 9))
    assert (tmp_path/name).stat().st_size < 200_000
    with pytest.raises(ValueError, match=f"{name}: unpacks to more than 64 MB from 0.. MB"): list(read_documents(tmp_path/name))


def test_a_small_docx_does_not_fill_the_memory(tmp_path):
    with zipfile.ZipFile(tmp_path/"a.docx", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("word/document.xml", b" " * 10**8)
    with pytest.raises(ValueError, match="a.docx: unpacks to more than 64 MB"): list(read_documents(tmp_path/"a.docx"))


@pytest.mark.parametrize("name, data, says", [
    ("a.txt.gz", gzip.compress(b"a text " * 100, mtime=0)[:-12], "a.txt.gz: damaged gzip file"), ("a.txt.gz", b"plain", "a.txt.gz: damaged gzip file"), ("a.pdf.gz", b"x", "unknown file type"), ("a.pdf", pdf("")[:200], "a.pdf: not a readable PDF"),
    ("a.pdf", pdf("", ""), "a.pdf: its 2 pages hold pictures and no text; recognise it first"), ("a.ipynb", b"[]", "a.ipynb: not a Jupyter notebook"), ("a.ipynb", b'{"cells": 3}', "a.ipynb: not a Jupyter notebook"),
    ("a.ipynb", b"[" * 100_000, "a.ipynb: not a Jupyter notebook"), ("a.html", b"<p></p>", "a.html has an empty text"), ("a.md", b"---\ntitle: x\n---\n", "a.md has an empty text"), ("a.csv", b"", "a.csv: no column 'text'")])
def test_broken_files_are_named(tmp_path, name, data, says):
    (tmp_path/name).write_bytes(data)
    with pytest.raises(ValueError, match=says): list(read_documents(tmp_path/name))


def test_front_matter_that_multiplies_itself(tmp_path):
    "Aliases of YAML are taken as they are and never written out."
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i-1}, *a{i-1}]" for i in range(1, 40)]
    (tmp_path/"n.md").write_text("---\n" + "\n".join(lines) + "\ntitle: T\n---\ntext\n")
    assert Passages.from_documents(tmp_path/"n.md")[0]["title"] == "T"


def test_skipping_needs_something_left():
    with pytest.raises(ValueError, match="all 2 were skipped; the first, document 0: document 0 has an empty text"): list(read_documents(["", " "], errors="skip"))
    with pytest.raises(ValueError, match="errors is 'raise' or 'skip', not 'ignore'"): read_documents(["a"], errors="ignore")
    with pytest.warns(UserWarning, match="1 of 2 questions were skipped"): q = read_questions([{"question": ""}, {"question": "Who?", "answer": "Ada"}], errors="skip")
    assert len(q) == 1 and q.skipped[0]["question"] == "question 0"


@pytest.mark.parametrize("kind", sorted(READERS))
def test_every_kind_that_is_known_is_told(kind):
    with pytest.raises(FileNotFoundError): read_documents(f"no/such{kind}")
    assert kind in READERS and callable(READERS[kind])


# What does not fit is said

def test_a_build_counts_passages_that_are_too_long():
    "The toy's encoder reads 64 tokens here; which passages have more, its tokenizer says."
    encoder = toy_encoder()
    encoder.spec.passage_max_length = 64
    docs = [{"title": "Tea", "text": "tea is a plant " * n} for n in (1, 2, 30, 40)]
    lengths = [len(encoder.tokenizer(d["title"], d["text"], truncation=False)["input_ids"]) for d in docs]
    assert sum(n > 64 for n in lengths) == 2
    with pytest.warns(UserWarning, match="2 of 4 passages are longer than the 64 tokens that the encoder reads.*a smaller n_words"):
        retriever = RagRetriever.from_documents(docs, encoder, n_words=None, progress=False)
    with pytest.warns(UserWarning, match="1 of 1 passages are longer"): retriever.add([{"text": "tea is a plant " * 60}], n_words=None, progress=False)


def test_an_answer_counts_contexts_that_were_cut():
    from rag_nb import Rag
    from rag_nb.core.toy import toy_generator, toy_tokenizer
    encoder = toy_encoder()
    retriever = RagRetriever.from_documents(["tea is a plant " * n for n in (1, 2, 4)], encoder, n_words=None, progress=False)
    for kind in ("bart", "llama"):
        rag = Rag.from_parts(retriever, encoder, (toy_generator(kind), toy_tokenizer(kind)), n_docs=3)
        for room in (40, 60, 80, 120, 512):
            rag.model.config.max_combined_length = room
            try: answer = rag.ask("What is tea?", max_new_tokens=2)
            except ValueError as e: assert "only" in str(e); continue
            rag.model.config.max_combined_length = 4096
            whole = rag.retriever.contexts(["What is tea?"], answer.hits, config=rag.model.config, tokenizer=rag.tokenizer.generator)["context_attention_mask"].sum(-1)
            assert answer.n_cut == int((whole > room).sum()), (kind, room)
            assert ("cut to fit" in answer._repr_html_()) == (answer.n_cut > 0)


def test_evaluation_warns_where_no_named_document_is_there():
    from rag_nb.core.evaluate import _check_named
    passages = Passages.from_documents([{"_id": 7, "text": "a b"}])
    with pytest.warns(UserWarning, match="the questions name 1 documents, such as 'doc7', and none of them is in the index, whose documents are called like '7'"):
        _check_named(read_questions([dict(question="Who?", answer="Ada", document_id="doc7")]), passages)
    import warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check_named(read_questions([dict(question="Who?", answer="Ada", document_id=7), dict(question="Why?", answer="so")]), passages)


def test_the_manifest_keeps_what_was_skipped(tmp_path):
    (tmp_path/"docs").mkdir(); (tmp_path/"docs/a.txt").write_text("text a"); (tmp_path/"docs/b.txt").write_text("")
    with pytest.warns(UserWarning, match="1 of 2 documents were skipped"): r = RagRetriever.from_documents(tmp_path/"docs", toy_encoder(), path=tmp_path/"index", errors="skip", progress=False)
    assert [s["document"] for s in r.folder.manifest["skipped"]] == ["b.txt"]
    r.add(["another text"], progress=False)
    assert [s["document"] for s in RagRetriever.from_pretrained(tmp_path/"index", encoder=toy_encoder()).folder.manifest["skipped"]] == ["b.txt"]
