"""Published checkpoints and the documentation's own snippets, word for word but for the import, against the local hub; then once more offline."""
import contextlib, io, json, sys
import pytest, torch, transformers
from hub import build_wiki_dpr, hub, online, wiki  # noqa: F401 (fixtures)
from published import serve
from rag_nb import RagModel, RagRetriever, RagSequenceForGeneration, RagTokenForGeneration, RagTokenizer

transformers.logging.disable_progress_bar()


@pytest.fixture
def all_of_it(wiki, tmp_path): serve(wiki, tmp_path); return wiki


# model card of facebook/rag-token-nq
CARD = '''
from rag_nb import RagTokenizer, RagRetriever, RagTokenForGeneration
tokenizer = RagTokenizer.from_pretrained("facebook/rag-token-nq")
retriever = RagRetriever.from_pretrained("facebook/rag-token-nq", index_name="exact", use_dummy_dataset=True)
model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq", retriever=retriever)
input_dict = tokenizer.prepare_seq2seq_batch("who holds the record in 100m freestyle", return_tensors="pt")
generated = model.generate(input_ids=input_dict["input_ids"])
print(tokenizer.batch_decode(generated, skip_special_tokens=True)[0])
'''
# model card of facebook/rag-sequence-nq
SEQUENCE = CARD.replace("RagTokenForGeneration", "RagSequenceForGeneration").replace("rag-token-nq", "rag-sequence-nq")
# documentation of RagRetriever
CONTEXT_ENCODER = '''
from rag_nb import RagRetriever, RagTokenForGeneration, RagTokenizer
retriever = RagRetriever.from_pretrained("facebook/dpr-ctx_encoder-single-nq-base", dataset="wiki_dpr", index_name="compressed")
model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq", retriever=retriever)
tokenizer = RagTokenizer.from_pretrained("facebook/rag-token-nq")
print(model.generate(**tokenizer("how many people live in paris?", return_tensors="pt")).shape)
'''
# documentation of RagTokenForGeneration.forward, whole
FORWARD = '''
import torch
from rag_nb import RagTokenizer, RagRetriever, RagTokenForGeneration
tokenizer = RagTokenizer.from_pretrained("facebook/rag-token-nq")
retriever = RagRetriever.from_pretrained("facebook/rag-token-nq", index_name="exact", use_dummy_dataset=True)
model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq", retriever=retriever)
inputs = tokenizer("How many people live in Paris?", return_tensors="pt")
targets = tokenizer(text_target="In Paris, there are 10 million people.", return_tensors="pt")
input_ids = inputs["input_ids"]
labels = targets["input_ids"]
outputs = model(input_ids=input_ids, labels=labels)
model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq", use_dummy_dataset=True)
question_hidden_states = model.question_encoder(input_ids)[0]
docs_dict = retriever(input_ids.numpy(), question_hidden_states.detach().numpy(), return_tensors="pt")
doc_scores = torch.bmm(question_hidden_states.unsqueeze(1), docs_dict["retrieved_doc_embeds"].float().transpose(1, 2)).squeeze(1)
outputs = model(context_input_ids=docs_dict["context_input_ids"], context_attention_mask=docs_dict["context_attention_mask"], doc_scores=doc_scores, decoder_input_ids=labels)
generated = model.generate(context_input_ids=docs_dict["context_input_ids"], context_attention_mask=docs_dict["context_attention_mask"], doc_scores=doc_scores)
generated_string = tokenizer.batch_decode(generated, skip_special_tokens=True)
print(generated_string)
'''
# model card: fine-tuning
TUNING = '''
from rag_nb import RagTokenizer, RagRetriever, RagTokenForGeneration
tokenizer = RagTokenizer.from_pretrained("facebook/rag-token-nq")
retriever = RagRetriever.from_pretrained("facebook/rag-token-nq", index_name="exact", use_dummy_dataset=True)
model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq", retriever=retriever)
input_dict = tokenizer.prepare_seq2seq_batch("How many people live in Paris?", "In Paris, there are 10 million people.", return_tensors="pt")
outputs = model(input_dict["input_ids"], labels=input_dict["labels"])
loss = outputs.loss
loss.backward()
print(float(sum(p.grad.abs().sum() for p in model.question_encoder.parameters() if p.grad is not None)) > 0)
'''
# model card of facebook/rag-token-base: from a question encoder and a generator
BASE = '''
from transformers import AutoTokenizer
from rag_nb import RagTokenizer, RagRetriever, RagTokenForGeneration
model = RagTokenForGeneration.from_pretrained_question_encoder_generator("facebook/dpr-question_encoder-single-nq-base", "facebook/bart-large")
question_encoder_tokenizer = AutoTokenizer.from_pretrained("facebook/dpr-question_encoder-single-nq-base")
generator_tokenizer = AutoTokenizer.from_pretrained("facebook/bart-large")
tokenizer = RagTokenizer(question_encoder_tokenizer, generator_tokenizer)
model.config.use_dummy_dataset = True
model.config.index_name = "exact"
model.config.retrieval_vector_size = 32   # (only because these checkpoints are tiny)
retriever = RagRetriever(model.config, question_encoder_tokenizer, generator_tokenizer)
model.save_pretrained(FOLDER)
tokenizer.save_pretrained(FOLDER)
retriever.save_pretrained(FOLDER)
again = RagRetriever.from_pretrained(FOLDER)
model = RagTokenForGeneration.from_pretrained(FOLDER, retriever=again)
print(len(again), model.generate(**tokenizer("how many people live in paris?", return_tensors="pt")).shape)
'''
# model documentation: attention, dtype, devices, four bits
QUANTISED = '''
import torch
from rag_nb import BitsAndBytesConfig, RagTokenizer, RagRetriever, RagSequenceForGeneration
bnb = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_compute_dtype=torch.bfloat16)
tokenizer = RagTokenizer.from_pretrained("facebook/rag-sequence-nq")
retriever = RagRetriever.from_pretrained("facebook/dpr-ctx_encoder-single-nq-base", dataset="wiki_dpr", index_name="compressed")
model = RagSequenceForGeneration.from_pretrained("facebook/rag-sequence-nq", retriever=retriever, quantization_config=bnb, device_map="auto", dtype="auto", attn_implementation="flash_attention_2")
input_dict = tokenizer.prepare_seq2seq_batch("How many people live in Paris?", return_tensors="pt")
generated = model.generate(input_ids=input_dict["input_ids"])
print(tokenizer.batch_decode(generated, skip_special_tokens=True)[0])
print(type(model.generator.model.encoder.layers[0].fc1).__name__, type(model.question_encoder.question_encoder.bert_model.encoder.layer[0].intermediate.dense).__name__)
'''
SNIPPETS = dict(card=CARD, sequence=SEQUENCE, context_encoder=CONTEXT_ENCODER, forward=FORWARD, tuning=TUNING, base=BASE)


def run(code, folder):
    "Run a snippet in this process; what it printed."
    said = io.StringIO()
    with contextlib.redirect_stdout(said): exec(compile(code, "snippet", "exec"), dict(FOLDER=str(folder)))
    return said.getvalue()


@pytest.mark.parametrize("name", SNIPPETS)
def test_snippet_and_then_offline(all_of_it, name, tmp_path):
    first = run(SNIPPETS[name], tmp_path/"saved"); assert first.strip()
    with all_of_it.here(offline=True): assert run(SNIPPETS[name], tmp_path/"saved again") == first


def documented(name):
    "The example in a docstring of the installed Transformers, word for word but for the import."
    import doctest
    owner, method = name.split(".")
    examples = doctest.DocTestParser().get_examples(getattr(getattr(transformers, owner), method).__doc__)
    return "".join(e.source for e in examples).replace("from transformers import", "from rag_nb import")


DOCUMENTED = ["RagModel.forward", "RagSequenceForGeneration.forward", "RagTokenForGeneration.forward", "RagModel.from_pretrained_question_encoder_generator"]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_examples_in_the_documentation_of_the_installed_transformers(all_of_it, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = documented(name)
    assert "from rag_nb import" in code and "transformers" not in code
    run(code, tmp_path)
    with all_of_it.here(offline=True): run(code, tmp_path)


def test_names_that_stand_beside_them_in_imports(all_of_it):
    "Documentation imports these in one line with the RAG classes."
    import rag_nb
    from rag_nb import AutoTokenizer, BitsAndBytesConfig
    assert BitsAndBytesConfig is transformers.BitsAndBytesConfig and "AutoTokenizer" in rag_nb.__all__
    tokenizer = AutoTokenizer.from_pretrained("facebook/rag-token-nq")
    assert type(tokenizer) is RagTokenizer and tokenizer(text_target="In Paris")["input_ids"] == tokenizer.generator("In Paris").input_ids
    assert AutoTokenizer.from_pretrained("facebook/bart-large")("In Paris").input_ids == tokenizer.generator("In Paris").input_ids


def test_snippet_with_four_bits(all_of_it, tmp_path):
    pytest.importorskip("bitsandbytes")
    with pytest.warns(UserWarning): said = run(QUANTISED, tmp_path)
    assert said.splitlines()[-1] == "Linear4bit Linear"


@pytest.mark.parametrize("name", ["rag-token-nq", "rag-token-base", "rag-sequence-nq", "rag-sequence-base"])
def test_published_weights_arrive(all_of_it, name, tmp_path):
    head = RagTokenForGeneration if "token" in name else RagSequenceForGeneration
    model, said = head.from_pretrained(f"facebook/{name}", output_loading_info=True)
    assert not said["missing_keys"] and not said["unexpected_keys"]
    for k, v in torch.load(tmp_path/"published"/name/"pytorch_model.bin", weights_only=True).items(): assert torch.equal(model.state_dict()[k], v)
    assert model.generator.lm_head.weight is model.generator.model.shared.weight and model.config.retriever_type == "hf_retriever"
    theirs = getattr(transformers, head.__name__).from_pretrained(f"facebook/{name}")
    x = dict(context_input_ids=torch.randint(4, 250, (5, 9)), context_attention_mask=torch.ones(5, 9).long(), doc_scores=torch.randn(1, 5))
    for kw in (dict(), dict(num_beams=3)):
        a, b = (m.generate(**x, max_length=10, **kw) for m in (model, theirs))
        n = min(a.shape[1], b.shape[1]); assert torch.equal(a[:, :n], b[:, :n])


def test_one_heads_checkpoint_in_the_other(all_of_it):
    with pytest.warns(UserWarning, match="RagTokenForGeneration.*RagSequenceForGeneration"): RagSequenceForGeneration.from_pretrained("facebook/rag-token-nq")
    assert isinstance(RagModel.from_pretrained("facebook/rag-token-nq").generator, transformers.BartForConditionalGeneration)


def test_front_door(all_of_it, monkeypatch):
    from rag_nb import Rag; from rag_nb.store import hub as index_hub
    said, large = [], lambda: [p for _, p, _ in all_of_it.requests if p.endswith((".bin", ".faiss", ".parquet"))]
    monkeypatch.setattr(index_hub, "_stderr", lambda text: said.append((text, large())))
    rag = Rag.from_pretrained("facebook/rag-token-nq", index="wiki_dpr:compressed")
    assert [t.split(",")[0] for t, _ in said] == ["facebook/rag-token-nq: downloading pytorch_model.bin", "facebook/wiki_dpr: downloading index/psgs_w100.nq.IVF4096_HNSW128_PQ128-IP-train.faiss"]
    assert all(" MB" in t for t, _ in said) and not said[0][1] and not said[1][1] and large()          # sizes are said before anything moves
    a = rag.ask("how many people live in paris?", max_new_tokens=5)
    assert a.hits.shape == (1, 5) and (a.doc_posterior.sum(-1) - 1).abs().max() < 1e-5
    said.clear(); Rag.from_pretrained("facebook/rag-token-nq", index="wiki_dpr")                       # a second time there is nothing to say
    assert not [t for t, _ in said if "downloading" in t]
    rag.save_pretrained(all_of_it.home/"rag")
    assert Rag.from_pretrained(all_of_it.home/"rag", index=rag.retriever).ask("how many people live in paris?", max_new_tokens=5).text == a.text


def test_front_door_offline_afterwards(all_of_it):
    code = "from rag_nb import Rag; print(Rag.from_pretrained('facebook/rag-token-nq', index='wiki_dpr:compressed').ask('who is it?', max_new_tokens=4))"
    first = all_of_it.run(code)
    n = len(all_of_it.requests)
    assert all_of_it.run(code, offline=True) == first and len(all_of_it.requests) == n


def test_names_that_lead_nowhere(all_of_it):
    from rag_nb import Rag
    with pytest.raises(FileNotFoundError, match="no index folder 'nothing/here'"): Rag.from_pretrained("facebook/rag-token-nq", index="nothing/here")
    with pytest.raises(ValueError, match="wiki_dpr:compressed"): Rag.from_pretrained("facebook/rag-token-nq")
    with pytest.raises(OSError, match="rag-tokn-nq"): Rag.from_pretrained("facebook/rag-tokn-nq", index="wiki_dpr:compressed")
    with pytest.raises(TypeError, match="'n_doc'.*'n_docs'"): Rag.from_pretrained("facebook/rag-token-nq", index="wiki_dpr:compressed", n_doc=3)
    assert not [p for _, p, _ in all_of_it.requests if p.endswith(".faiss")]                              # and no index is fetched for it


def test_command_line(all_of_it):
    out = all_of_it.run("", args=[sys.executable, "-c", "from rag_nb.cli import main; main()", "ask", "how many people live in paris?", "--model", "facebook/rag-token-nq", "--index", "wiki_dpr:compressed", "--json"])
    assert len(json.loads(out)["documents"]) == 5


def test_users_own_index_class():
    "A subclass written for Transformers' index interface, as it is."
    from transformers.models.rag.retrieval_rag import Index
    import numpy as np
    class Own(Index):
        def get_doc_dicts(self, doc_ids): return [dict(title=[f"t{i}" for i in row], text=[f"text {i}" for i in row]) for row in doc_ids]
        def get_top_docs(self, question_hidden_states, n_docs=5): return np.tile(np.arange(n_docs), (len(question_hidden_states), 1)), np.ones((len(question_hidden_states), n_docs, 32), np.float32)
        def is_initialized(self): return True
        def init_index(self): pass
    from rag_nb import RagConfig
    r = RagRetriever(RagConfig(retrieval_vector_size=32), index=Own())
    assert r.search(torch.ones(2, 32), 3).passages[1][2]["text"] == "text 2"


# the four ways in the documentation of RagRetriever

def columns(n=12, dim=32):
    import numpy as np
    v = np.random.default_rng(0).standard_normal((n, dim)).astype(np.float32)
    return dict(title=[f"t{i}" for i in range(n)], text=[f"text {i}" for i in range(n)], embeddings=v.tolist()), v


def used(retriever):
    "The retriever works in a published model, by text and by its own call."
    from rag_nb import AutoTokenizer
    model = RagSequenceForGeneration.from_pretrained("facebook/rag-sequence-nq", retriever=retriever)
    inputs = AutoTokenizer.from_pretrained("facebook/rag-sequence-nq")("how many people live in paris?", return_tensors="pt")
    assert model.generate(**inputs, max_new_tokens=3, num_beams=2).shape[0] == 1
    return retriever(inputs["input_ids"], model.question_encoder(inputs["input_ids"])[0].detach(), return_tensors="pt")["doc_ids"].tolist()


@pytest.mark.filterwarnings("ignore")
def test_the_four_ways_to_a_retriever(all_of_it, tmp_path, monkeypatch):
    from datasets import Dataset
    import importlib
    used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", dataset="wiki_dpr", index_name="compressed"))
    dataset = Dataset.from_dict(columns()[0])
    dataset.save_to_disk(tmp_path/"dataset")
    exact = used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", indexed_dataset=dataset))             # without an index of its own: searched exactly
    dataset.add_faiss_index("embeddings", string_factory="Flat", metric_type=0)
    assert used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", dataset)) == exact
    dataset.get_index("embeddings").save(tmp_path/"my.faiss")
    kw = dict(index_name="custom", passages_path=str(tmp_path/"dataset"))
    assert used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", index_path=str(tmp_path/"my.faiss"), **kw)) == exact
    assert used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", **kw)) == exact
    legacy = importlib.import_module("test_index_legacy"); monkeypatch.setattr(legacy, "D", 32)
    legacy.write_legacy(tmp_path/"dpr", vectors=columns(60)[1])
    all_of_it.add_repo("huggingface/wiki_dpr", tmp_path/"dpr", "dataset")
    for more in (dict(), dict(index_path=str(tmp_path/"dpr"))):
        assert len(used(RagRetriever.from_pretrained("facebook/rag-sequence-nq", index_name="legacy", **more))[0]) == 5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("how", ["dataset", "dataset with an index", "published"])
def test_a_rag_over_any_of_them_is_saved_moved_and_opened(all_of_it, tmp_path, how):
    from rag_nb import Rag
    from datasets import Dataset
    if how == "published": retriever = RagRetriever.from_pretrained("facebook/rag-token-nq", index_name="compressed")
    else:
        dataset = Dataset.from_dict(columns()[0])
        if how != "dataset": dataset.add_faiss_index("embeddings", string_factory="Flat", metric_type=0)
        retriever = RagRetriever.from_pretrained("facebook/rag-token-nq", indexed_dataset=dataset)
    model = RagTokenForGeneration.from_pretrained("facebook/rag-token-nq")
    a = Rag(model, RagTokenizer.from_pretrained("facebook/rag-token-nq"), retriever)
    a.save_pretrained(tmp_path/"here"); (tmp_path/"here").rename(tmp_path/"there")
    b = Rag.from_pretrained(tmp_path/"there")
    x, y = (r.ask("how many people live in paris?", max_new_tokens=4) for r in (a, b))
    assert x.text == y.text and x.hits.ids.tolist() == y.hits.ids.tolist()
    with all_of_it.here(offline=True): assert Rag.from_pretrained(tmp_path/"there").ask("how many people live in paris?", max_new_tokens=4).text == x.text
