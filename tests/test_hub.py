"The small Hub of the tests: what it serves is loaded by the real libraries, and nothing else is reached."
# ruff: noqa: F811 (a fixture is imported, and then is a parameter)
import json

import pytest, torch

from hub import hub, online  # noqa: F401 (fixtures)

LOAD = """
import torch
from transformers import AutoModel, AutoTokenizer
torch.set_num_threads(1)
model = AutoModel.from_pretrained("facebook/tiny-bert")
print(float(sum(p.double().sum() for p in model.parameters())), AutoTokenizer.from_pretrained("facebook/tiny-bert")("a b").input_ids)
"""


@pytest.fixture
def tiny(tmp_path):
    "A model and its tokenizer as they lie in a published repository: weights in pytorch_model.bin, a vocabulary in text."
    from transformers import BertConfig, BertModel
    config = BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=16)
    torch.manual_seed(0); model = BertModel(config)
    (folder := tmp_path/"tiny").mkdir()
    config.save_pretrained(folder); torch.save(model.state_dict(), folder/"pytorch_model.bin")
    (folder/"vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "c"]))
    (folder/"tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True}))
    return folder, model


def test_models_load_from_it_and_offline_afterwards(online, tiny):
    from transformers import AutoModel, AutoTokenizer
    folder, model = tiny
    online.add_repo("facebook/tiny-bert", folder).add_alias("tiny-bert", "facebook/tiny-bert")
    def check(name):
        loaded = AutoModel.from_pretrained(name)
        assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), loaded.state_dict().values()))
        assert AutoTokenizer.from_pretrained(name)("a b").input_ids == [2, 5, 6, 3]
    check("facebook/tiny-bert")
    assert ("HEAD", "/facebook/tiny-bert/resolve/main/config.json") in {(m,
        p.replace(online.repos["model", "facebook/tiny-bert"].commit, "main")) for m, p, _ in online.requests}
    check("tiny-bert")
    online.forget()
    with online.here(offline=True): check("facebook/tiny-bert")
    assert not online.requests


def test_fresh_processes_load_from_it(hub, tiny):
    hub.add_repo("facebook/tiny-bert", tiny[0])
    first = hub.run(LOAD)
    hub.forget()
    assert hub.run(LOAD, offline=True) == first and "[2, 5, 6, 3]" in first and not hub.requests


def test_what_is_not_there_and_what_is_elsewhere(online):
    import socket
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import RepositoryNotFoundError
    with pytest.raises(RepositoryNotFoundError): hf_hub_download("facebook/nothing", "config.json")
    with pytest.raises(OSError, match="a test tried to reach 192.0.2.1"): socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_a_whole_dataset_repository(online, tmp_path):
    from huggingface_hub import HfApi, HfFileSystem, snapshot_download
    for name in ("README.md", "data/a.parquet", "data/deep/b.txt"):
        (tmp_path/"d"/name).parent.mkdir(parents=True, exist_ok=True); (tmp_path/"d"/name).write_text(name*10)
    online.add_repo("me/data", tmp_path/"d", "dataset")
    here = snapshot_download("me/data", repo_type="dataset")
    assert {f: open(f"{here}/{f}").read() for f in ("README.md", "data/a.parquet", "data/deep/b.txt")} == {f: f*10
        for f in ("README.md", "data/a.parquet", "data/deep/b.txt")}
    assert sorted(HfApi().list_repo_files("me/data", repo_type="dataset")) == ["README.md", "data/a.parquet", "data/deep/b.txt"]
    assert [f.path for f in HfApi().list_repo_tree("me/data", "data", repo_type="dataset")] == ["data/deep", "data/a.parquet"]
    assert HfFileSystem().read_bytes("datasets/me/data/data/a.parquet", 5, 9) == ("data/a.parquet"*10)[5:9].encode()
