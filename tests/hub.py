"""A small Hub on this machine, for tests: published names, tiny files, and the network otherwise closed.

    from hub import hub, online, wiki               # fixtures: the server; this process talking to it; and with a tiny wiki_dpr
    hub.add_repo("facebook/rag-token-nq", folder)   # serve a folder as a model; kind="dataset" for a dataset
    with hub.here(offline=True): ...                # this process, cut off: what was downloaded before has to do
    hub.run(code, offline=True)                     # a fresh interpreter with HF_ENDPOINT and a private HF_HOME

`hub.requests` lists what was asked for, as (method, path, range), and `hub.sent` counts the bytes of files that went out.
"""
import hashlib, json, os, re, shutil, socket, subprocess, sys, threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parent.parent
LARGE = {".parquet", ".faiss", ".bin", ".safetensors", ".pkl", ".dpr"}   # served as the Hub serves large files: by a redirect


class Repo:
    "A folder served as a repository at one commit."
    def __init__(self, folder):
        self.folder, self._sums = Path(folder), {}
        names = sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())
        self.files = {n: (self.folder/n).stat().st_size for n in names}
        self.commit = hashlib.sha1(repr([(n, s, (self.folder/n).stat().st_mtime_ns) for n, s in self.files.items()]).encode()).hexdigest()

    def sum(self, name):
        if name not in self._sums: self._sums[name] = hashlib.sha256((self.folder/name).read_bytes()).hexdigest()
        return self._sums[name]

    def entry(self, name):
        lfs = dict(lfs=dict(oid=self.sum(name), size=self.files[name], pointerSize=130)) if Path(name).suffix in LARGE else {}
        return dict(type="file", path=name, size=self.files[name], oid=self.sum(name)[:40], **lfs)

    def tree(self, under, recursive):
        "Entries of the tree endpoint; None if there is no such folder."
        under = under.strip("/")
        below = [n for n in self.files if not under or n.startswith(under + "/")]
        if not below: return None
        folders = {"/".join(n.split("/")[:i]) for n in below for i in range(1, n.count("/")+1)}
        here = lambda n: n.startswith(under) and n != under and (recursive or "/" not in n[len(under):].strip("/"))
        return [dict(type="directory", path=f, size=0, oid=hashlib.sha1(f.encode()).hexdigest()) for f in sorted(folders) if here(f)] + \
               [self.entry(n) for n in below if here(n)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass

    def answer(self, status, body=b"", headers=None):
        body = json.dumps(body).encode() if not isinstance(body, bytes) else body
        self.send_response(status)
        for k, v in {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(k, v)
        self.end_headers()
        if self.command != "HEAD": self.wfile.write(body)

    def refuse(self, what): self.answer(404, {"error": what}, {"X-Error-Code": what, "X-Error-Message": what})

    def serve(self):
        hub, url = self.server.hub, urlsplit(self.path)
        hub.requests.append((self.command, unquote(url.path), self.headers.get("Range")))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if hub.broken: return self.answer(hub.broken, {"error": "the hub is down"})
        path = unquote(url.path).strip("/")
        if path.startswith("large/"): return self.file(*hub.large[path.split("/")[1]])
        for method in (self.api, self.resolve):
            if method(path, {**parse_qs(url.query), **parse_qs(body)}): return
        self.refuse("EntryNotFound")

    do_GET = do_HEAD = do_POST = serve

    def repo(self, kind, name, revision=None):
        "The repository, or None after an answer: a redirect from its old name, or that there is none."
        hub, kind = self.server.hub, kind.rstrip("s") or "model"
        if (kind, name) in hub.aliases:
            new = self.path.replace(name, hub.aliases[kind, name], 1)
            return self.answer(307, b"", {"Location": new})
        repo = hub.repos.get((kind, name))
        if repo is None: return self.refuse("RepoNotFound")
        repo = repo if revision in (None, "main") else hub.commits.get((kind, name, revision))
        return repo or self.refuse("RevisionNotFound")

    def api(self, path, args):
        "What the library asks about a repository: information, trees, paths."
        m = re.fullmatch(r"api/(models|datasets|spaces)/([^/]+(?:/[^/]+)?)(?:/(revision|tree|paths-info)/([^/]+)(/.*)?)?", path)
        m = m or re.fullmatch(r"api/(models|datasets|spaces)/([^/]+)/(revision|tree|paths-info)/([^/]+)(/.*)?", path)
        if not m: return False
        kind, name, what, revision, rest = (*m.groups(), None, None, None)[:5]
        if not (repo := self.repo(kind, name, revision)): return True
        if what in (None, "revision"):
            self.answer(200, dict(id=name, sha=repo.commit, private=False, gated=False, disabled=False, tags=[], downloads=0, likes=0,
                                  siblings=[dict(rfilename=n, size=s) for n, s in repo.files.items()]))
        elif what == "tree":
            entries = repo.tree(rest or "", args.get("recursive", ["false"])[0].lower() in ("true", "1"))
            self.refuse("EntryNotFound") if entries is None else self.answer(200, entries)
        else: self.answer(200, [repo.entry(n) for n in args.get("paths", []) if n in repo.files])
        return True

    def resolve(self, path, args):
        "A file of a repository: at once if it is small, by a redirect if it is large."
        m = re.fullmatch(r"(?:(datasets|spaces)/)?([^/]+(?:/[^/]+)?)/resolve/([^/]+)/(.+)", path)
        if not m: return False
        kind, name, revision, file = m.groups()
        if not (repo := self.repo(kind or "models", name, revision)): return True
        commit = {"X-Repo-Commit": repo.commit}
        if file not in repo.files:
            self.answer(404, {"error": "EntryNotFound"}, {"X-Error-Code": "EntryNotFound", **commit})
        elif Path(file).suffix in LARGE:
            self.server.hub.large[repo.sum(file)] = (repo.folder/file, {})
            self.answer(302, b"", {"Location": f"{self.server.hub.elsewhere}/large/{repo.sum(file)}",
                "X-Linked-Etag": f'"{repo.sum(file)}"',
                                   "X-Linked-Size": str(repo.files[file]), **commit})
        else: self.file(repo.folder/file, {"ETag": f'"{repo.sum(file)[:40]}"', **commit})
        return True

    def file(self, path, headers):
        "A file, or the range of it that was asked for."
        size, m = path.stat().st_size, re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        start, stop = (int(m[1]), min(int(m[2] or size-1) + 1, size)) if m else (0, size)
        more = {"Content-Range": f"bytes {start}-{stop-1}/{size}"} if m else {}
        self.send_response(206 if m else 200)
        for k, v in {"Content-Type": "application/octet-stream", "Content-Length": str(stop-start), "Accept-Ranges": "bytes", **headers,
            **more}.items():
            self.send_header(k, v)
        self.end_headers()
        if self.command == "HEAD": return
        self.server.hub.sent += stop - start    # before they go: whoever has them finds them counted
        with open(path, "rb") as f: f.seek(start); self.wfile.write(f.read(stop-start))


class Hub:
    "The server, its repositories, and a private home for what is downloaded."
    def __init__(self, home):
        self.home, self.repos, self.commits, self.aliases, self.large, self.requests, self.sent, self.broken = Path(home), {}, {}, {}, {}, [], 0, None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.hub, self.server.daemon_threads = self, True
        # large files come from another host
        self.url, self.elsewhere = (f"http://{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost"))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def add_repo(self, name, folder, kind="model"):
        "Serve a folder under a published name; again, after it changed, as a new commit."
        self.repos[kind, name] = repo = Repo(folder)
        self.commits[kind, name, repo.commit] = repo
        return self

    def add_alias(self, old, new, kind="model"): self.aliases[kind, old] = new   # an old name, from which the Hub redirects
    def close(self): self.server.shutdown(); self.server.server_close()
    def forget(self): self.requests.clear(); self.sent = 0
    def empty_cache(self): shutil.rmtree(self.home, ignore_errors=True)

    def env(self, offline=False):
        "The environment of a process that knows no other Hub and no other network."
        nowhere = "http://127.0.0.1:9"
        return dict(HF_ENDPOINT=self.url, HF_HOME=str(self.home), HF_HUB_OFFLINE=str(int(offline)), HF_HUB_DISABLE_XET="1",
            HF_HUB_DISABLE_TELEMETRY="1",
                    # or loading a pytorch_model.bin leaves a thread behind that asks the Hub for another format
                    DISABLE_SAFETENSORS_CONVERSION="1",
                    HTTP_PROXY=nowhere, HTTPS_PROXY=nowhere, ALL_PROXY=nowhere, NO_PROXY="127.0.0.1,localhost", OMP_NUM_THREADS="1",
                    TOKENIZERS_PARALLELISM="false")

    def run(self, code, offline=False, timeout=300, args=()):
        "Run Python code (or, with `args`, a command line) in a fresh process; its standard output."
        known = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_", "HUGGINGFACE_"))
            and not k.lower().endswith("_proxy")}
        path = os.pathsep.join(filter(None, [str(ROOT), str(ROOT/"tests"), os.environ.get("PYTHONPATH")]))
        done = subprocess.run([*(args or [sys.executable, "-c", code])], capture_output=True, text=True, timeout=timeout,
            env={**known, **self.env(offline), "PYTHONPATH": path})
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    @contextmanager
    def here(self, offline=False):
        "This process talks to the local Hub for a while, whenever it was that the libraries were imported."
        import huggingface_hub, huggingface_hub.hf_api
        from huggingface_hub import constants
        cache = self.home/"hub"
        with pytest.MonkeyPatch.context() as m:
            for k, v in dict(ENDPOINT=self.url, HUGGINGFACE_CO_URL_TEMPLATE=self.url + "/{repo_id}/resolve/{revision}/{filename}",
                HF_HOME=str(self.home), HF_HUB_CACHE=str(cache),
                             HUGGINGFACE_HUB_CACHE=str(cache), HF_ASSETS_CACHE=str(self.home/"assets"), HF_HUB_OFFLINE=offline,
                             HF_HUB_DISABLE_XET=True).items():
                m.setattr(constants, k, v, raising=False)
            m.setattr(constants, "HF_URL_HOSTS", frozenset({*getattr(constants, "HF_URL_HOSTS", ()), "127.0.0.1"}), raising=False)
            for old in (huggingface_hub.hf_api.api, getattr(sys.modules.get("transformers.utils.hub"), "_hf_api", None)):
                if old is not None: m.setattr(old, "endpoint", self.url)
            for k, v in self.env(offline).items(): m.setenv(k, v)
            closed(m)
            for end in (getattr(huggingface_hub, "close_session", None), getattr(huggingface_hub, "reset_sessions", None)):
                if end: end(); break
            yield self
        if end: end()


def closed(monkeypatch):
    "No connection but to this machine."
    real = socket.socket.connect
    def connect(self, address):
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise OSError(f"a test tried to reach {address[0]}")
        return real(self, address)
    monkeypatch.setattr(socket.socket, "connect", connect)


def build_wiki_dpr(folder, rows=96, shards=3, group=8, dim=32, dummy=20, seed=0, indexes=True):
    "A tiny `facebook/wiki_dpr` in the published layout; the vectors (rows, dim) of nq. Its script must never run."
    import numpy as np, pyarrow as pa, pyarrow.parquet as pq
    folder, rng, per = Path(folder), np.random.default_rng(seed), -(-rows//shards)
    columns = {"id": [str(i+1) for i in range(rows)], "text": [f"What passage {i+1} says." for i in range(rows)],
        "title": [f'"Article {i//4}"' if i % 7 == 0 else f"Article {i//4}" for i in range(rows)]}
    vectors = {w: rng.standard_normal((rows, dim), dtype=np.float32) for w in ("nq", "multiset", "no_embeddings")}
    def write(name, i, j, which):
        (path := folder/name).parent.mkdir(parents=True, exist_ok=True)
        table = {c: v[i:j] for c, v in columns.items()} | ({} if which == "no_embeddings" else {"embeddings": list(vectors[which][i:j])})
        pq.write_table(pa.table(table), path, row_group_size=group)
    for which in vectors:
        for s in range(shards): write(f"data/psgs_w100/{which}/train-{s:05}-of-{shards:05}.parquet", s*per, min(s*per+per, rows), which)
        write(f"data/psgs_w100/dummy.{which}/train-00000-of-00001.parquet", 0, dummy, which)
        if indexes and which != "no_embeddings": build_indexes(folder, vectors[which], which)
    (folder/"wiki_dpr.py").write_text("import os, pathlib\npathlib.Path(os.environ['CANARY']).write_text('the script ran')\n")
    (folder/"README.md").write_text("---\npretty_name: Wiki-DPR\n---\n")
    return vectors["nq"]


def build_indexes(folder, vectors, which):
    "Both FAISS files under their published names, small: few lists, short codes."
    import faiss
    (Path(folder)/"index").mkdir(exist_ok=True)
    for published, factory in {"HNSW128_SQ8": "HNSW8_SQ8", "IVF4096_HNSW128_PQ128": "IVF4_HNSW4,PQ16x4"}.items():
        index = faiss.index_factory(vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT)
        for part in (index, getattr(index, "pq", None)):
            if hasattr(part, "cp"): part.cp.min_points_per_centroid = 1
            if hasattr(part, "do_polysemous_training"): part.do_polysemous_training = False   # seconds, and of no use here
        index.train(vectors); index.add(vectors)
        if hasattr(index, "nprobe"): index.nprobe = 3
        faiss.write_index(index, str(Path(folder)/f"index/psgs_w100.{which}.{published}-IP-train.faiss"))


@pytest.fixture
def hub(tmp_path):
    "A local Hub without repositories."
    hub = Hub(tmp_path/"home")
    yield hub
    hub.close()


@pytest.fixture
def online(hub):
    "The same, with this process talking to it."
    with hub.here(): yield hub


@pytest.fixture
def wiki(online, tmp_path):
    "The local Hub with a tiny wiki_dpr; its vectors are in `.vectors`."
    online.vectors = build_wiki_dpr(tmp_path/"wiki_dpr")
    online.add_repo("facebook/wiki_dpr", tmp_path/"wiki_dpr", "dataset").add_alias("wiki_dpr", "facebook/wiki_dpr", "dataset")
    return online
