"The server of the tutorial `serving`, as it stands there: uvicorn on loopback, forty clients, and uploads beside their questions."
import json, re, threading, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rag_nb import Rag, RagRetriever
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

uvicorn = pytest.importorskip("uvicorn")
pytest.importorskip("fastapi")
PAGE = Path(__file__).resolve().parent.parent/"nbs/tutorials/serving.ipynb"


def app_of_the_page(rag):
    "The app that the page shows, over this `Rag`."
    shown = ["".join(c["source"]) for c in json.loads(PAGE.read_text(encoding="utf8"))["cells"] if c["cell_type"] == "markdown"]
    code, = re.findall(r"^```py\n(.*?)^```", "\n".join(shown), re.M | re.S)
    names = dict(rag=rag, __name__="server")
    exec(compile(code, "server.py", "exec", dont_inherit=True), names)
    return names["app"]


@pytest.fixture(scope="module")
def rag(tmp_path_factory):
    encoder = toy_encoder()
    path = tmp_path_factory.mktemp("served")/"index"
    retriever = RagRetriever.from_documents(toy_documents(), encoder, path=path, progress=False)
    return Rag.from_parts(retriever, encoder, (toy_generator("llama"), toy_tokenizer("llama")), n_docs=3, max_combined_length=96)


@pytest.fixture(scope="module")
def url(rag):
    server = uvicorn.Server(uvicorn.Config(app_of_the_page(rag), host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive(): threading.Event().wait(.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def call(url, body=None, method="POST"):
    "The status and the text of an answer."
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=120) as said: return said.status, said.read().decode()
    except urllib.error.HTTPError as e: return e.code, e.read().decode()


def test_forty_clients_and_uploads_beside_questions(rag, url):
    "Each answer cites documents that are there, with their own texts, and is the one that these documents give; no request fails."
    texts = {d["title"]: d["text"] for d in toy_documents()}
    new = {f"up{i}": f"Document number {i} was uploaded while others asked." for i in range(8)}
    def client(i):
        if i % 5 == 4:
            status = [call(f"{url}/documents", dict(id=f"up{i//5}", title=f"up{i//5}", text=new[f"up{i//5}"]))[0]]
            return status + [call(f"{url}/documents/up{i//5}", method="DELETE")[0]] if i % 2 else status
        status, said = call(f"{url}/{'stream' if i % 5 == 3 else 'ask'}", dict(question="What is tea?", max_new_tokens=3))
        if i % 5 == 3: return [status] if said is not None else [0]
        answer = json.loads(said)
        for d in answer["documents"]: assert {**texts, **new}[d["title"]] == d["text"], d
        return [status]
    with ThreadPoolExecutor(40) as pool: found = list(pool.map(client, range(40)))
    assert {s for status in found for s in status} == {200}
    kept = {f"up{i//5}" for i in range(40) if i % 5 == 4 and not i % 2}
    assert set(rag.retriever.passages.column("document")) >= kept and len(rag.retriever) == len(toy_documents()) + len(kept)
    alone = rag.ask("What is tea?", max_new_tokens=3)
    said = json.loads(call(f"{url}/ask", dict(question="What is tea?", max_new_tokens=3))[1])
    assert said["answer"] == alone.text
    assert call(f"{url}/stream", dict(question="What is tea?", max_new_tokens=3))[1].strip() == alone.text.strip()
    again = RagRetriever.from_pretrained(rag.retriever.folder.path)
    assert len(again) == len(rag.retriever)
