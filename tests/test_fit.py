"Which question encoder may search which index: the same one, one that was trained for it, or the other half of a DPR pair."
import json
import pytest, torch, transformers
from published import part, question_tokenizer
from rag_nb.core.answer import Rag
from rag_nb.core.config import EncoderSpec, RagConfig
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.index import make_index
from rag_nb.core.passages import Passages
from rag_nb.core.retriever import RagRetriever, encoder_record
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_questions, toy_tokenizer

Q = toy_questions()[0][0]
MATE = dict(id="mate", title="Mate", text="Mate is a drink made from the dried leaves of a South American holly.")


def minilm(tmp_path, name="sentence-transformers/all-MiniLM-L6-v2", seed=0):
    "A BERT with mean pooling and length one, of the embedded encoder's shape but small, and under its name."
    question_tokenizer(tmp_path/"vocabulary")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path/"vocabulary")
    torch.manual_seed(seed)
    model = transformers.BertModel(transformers.BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, initializer_range=.5)).eval()
    return TextEncoder(model, tokenizer, EncoderSpec(pooling="mean", normalize=True, passage_template="{title}\n{text}"), name)


@pytest.fixture(params=["toy", "minilm"])
def encoder(request, tmp_path): return toy_encoder() if request.param == "toy" else minilm(tmp_path)


@torch.no_grad()
def perturb(model, seed=1):
    "Training, as far as an index can see: other weights under the same name."
    g = torch.Generator().manual_seed(seed)
    for p in model.parameters(): p.add_(torch.randn(p.shape, generator=g) * .3 * p.std().nan_to_num(0))


def rag(encoder, **kw): return Rag.from_documents(toy_documents(), generator=(toy_generator("bart"), toy_tokenizer("bart")), encoder=encoder, progress=False, n_docs=3, **kw)


def same(a, b, **kw):
    x, y = (r.ask(Q, max_new_tokens=4, **kw) for r in (a, b))
    assert x.text == y.text and x.hits.ids.tolist() == y.hits.ids.tolist()
    torch.testing.assert_close(x.hits.scores, y.hits.scores, atol=1e-5, rtol=0)


def test_another_encoder_of_the_same_width_is_refused_and_both_are_named(encoder, tmp_path):
    r = rag(encoder)
    other = toy_encoder(seed=3); other.name = "somebody/else"
    for path in (None, tmp_path/"other"):
        theirs = RagRetriever.from_documents(toy_documents(), other, path=path, progress=False)
        with pytest.raises(ValueError, match="somebody/else.*question encoder") as e: r.with_retriever(theirs)
        assert "from_documents" in str(e.value) and "passage_encoder" in str(e.value)
        with pytest.raises(ValueError, match="somebody/else"): Rag(r.model, r.tokenizer, theirs)
        with pytest.raises(ValueError, match="somebody/else"): Rag.from_parts(theirs, encoder, (toy_generator("bart"), toy_tokenizer("bart")))
    r.save_pretrained(tmp_path/"rag")
    with pytest.raises(ValueError, match="somebody/else"): Rag.from_pretrained(tmp_path/"rag", index=tmp_path/"other")
    assert r.ask(Q, max_new_tokens=2).hits.shape == (1, 3)                 # what was there before goes on


def test_the_same_encoder_from_another_place_is_taken(encoder, tmp_path):
    encoder.save_pretrained(tmp_path/"encoder")
    theirs = RagRetriever.from_documents(toy_documents(), str(tmp_path/"encoder"), path=tmp_path/"index", progress=False)
    same(rag(encoder), rag(encoder).with_retriever(theirs))
    same(rag(encoder), rag(encoder).with_retriever(RagRetriever.from_pretrained(tmp_path/"index")))


@pytest.mark.parametrize("kept", [False, True])
def test_a_question_encoder_that_was_trained(encoder, tmp_path, kept):
    "Passages stay as they were, the question encoder moves on: saved and opened, it searches the same passages."
    r = rag(encoder, **(dict(path=tmp_path/"index") if kept else {}))
    made, vectors = r.retriever.encoder_provenance, r.retriever.index.vectors(torch.arange(3)).clone()
    perturb(r.model.question_encoder)
    r.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    same(r, again)
    assert again.retriever.encoder_provenance["probe"] == made["probe"] != again.encoder.fingerprint()      # the record is that of the weights that made the vectors
    torch.testing.assert_close(again.retriever.index.vectors(torch.arange(3)), vectors)
    again.save_pretrained(tmp_path/"twice"); same(r, Rag.from_pretrained(tmp_path/"twice"))
    if kept: same(r, Rag.from_pretrained(tmp_path/"rag", index=tmp_path/"index"))
    other = RagRetriever.from_documents(toy_documents(), toy_encoder(seed=3), progress=False)
    with pytest.raises(ValueError, match="another encoder"): again.with_retriever(other)


def test_trainers_checkpoint_alone(encoder, tmp_path):
    "A checkpoint that was written by the model, not by the Rag, still knows which passages it was trained with."
    r = rag(encoder, path=tmp_path/"index")
    perturb(r.model.question_encoder)
    r.model.save_pretrained(tmp_path/"checkpoint"); r.tokenizer.save_pretrained(tmp_path/"checkpoint")
    same(r, Rag.from_pretrained(tmp_path/"checkpoint", index=tmp_path/"index"))


def test_passages_embedded_again_by_the_trained_encoder(encoder, tmp_path):
    "One encoder for both sides, trained; the index is built again by it. Its recorded name is that of the untrained one."
    r = rag(encoder)
    perturb(r.model.question_encoder)
    r = r.with_retriever(RagRetriever.from_documents(toy_documents(), r.encoder, path=tmp_path/"index", progress=False))
    r.save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    same(r, again)
    again.retriever.add([MATE], progress=False)                          # with the model's encoder: no other is needed
    row = again.retriever.index.vectors(torch.tensor([len(toy_documents())]))
    torch.testing.assert_close(row, torch.from_numpy(r.encoder.encode([MATE], "passage")), atol=1e-5, rtol=0)
    assert len(Rag.from_pretrained(tmp_path/"rag").retriever) == len(toy_documents()) + 1


def test_an_untrained_encoder_that_nobody_finds_by_name(encoder, tmp_path):
    encoder.name = "nobody/has/this"
    rag(encoder).save_pretrained(tmp_path/"rag")
    again = Rag.from_pretrained(tmp_path/"rag")
    again.retriever.add([MATE], progress=False)
    again.retriever.delete("mate")
    assert len(again.retriever) == len(toy_documents())


def test_nothing_is_added_with_weights_that_have_moved_on(encoder, tmp_path):
    "The encoder that a retriever was built with is the model's, and was trained since: its new vectors do not belong to the old ones."
    encoder.name = "nobody/has/this"
    r = rag(encoder)
    perturb(r.model.question_encoder)
    with pytest.raises(ValueError, match="nobody/has/this"): r.retriever.add([MATE], progress=False)
    assert len(r.retriever) == len(toy_documents())


def test_it_is_loaded_again_by_its_name_where_it_can_be(tmp_path):
    toy_encoder().save_pretrained(tmp_path/"encoder")
    r = rag(TextEncoder.from_pretrained(tmp_path/"encoder"))
    perturb(r.model.question_encoder)
    r.retriever.add([MATE], progress=False)
    row = r.retriever.index.vectors(torch.tensor([len(toy_documents())]))
    torch.testing.assert_close(row, torch.from_numpy(toy_encoder().encode([MATE], "passage")), atol=1e-5, rtol=0)


@pytest.mark.parametrize("merged", [True, False])
def test_adapters(encoder, tmp_path, merged):
    peft = pytest.importorskip("peft")
    r = rag(encoder)
    wrapped = peft.get_peft_model(r.model.rag.question_encoder, peft.LoraConfig(target_modules=["query", "value"], init_lora_weights=False, lora_alpha=32))
    r.model.rag.question_encoder = wrapped.merge_and_unload() if merged else wrapped.eval()
    generator = peft.get_peft_model(r.model.rag.generator, peft.LoraConfig(target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    r.model.rag.generator = generator.merge_and_unload() if merged else generator.eval()
    r.save_pretrained(tmp_path/"rag")
    same(r, Rag.from_pretrained(tmp_path/"rag"))
    if not merged: assert hasattr(r.model.question_encoder, "merge_and_unload")            # saving changes nothing in memory


def test_a_pair_as_it_was_published(tmp_path):
    "DPR has one encoder for questions and one for passages: neither probe nor name agree, and they fit."
    for kind in ("question", "context"): part(tmp_path/kind, kind)
    retriever = RagRetriever.from_documents(toy_documents(), str(tmp_path/"context"), path=tmp_path/"index", progress=False)
    question = TextEncoder.from_pretrained(tmp_path/"question")
    parts = (question, (toy_generator("bart"), toy_tokenizer("bart")))
    r = Rag.from_parts(RagRetriever.from_pretrained(tmp_path/"index"), *parts, n_docs=3)
    r.save_pretrained(tmp_path/"rag"); same(r, Rag.from_pretrained(tmp_path/"rag"))
    perturb(r.model.question_encoder); r.save_pretrained(tmp_path/"trained"); same(r, Rag.from_pretrained(tmp_path/"trained"))
    wrong = RagRetriever.from_documents(toy_documents(), question, progress=False)         # passages by the question encoder
    with pytest.raises(ValueError, match="question encoder"): Rag.from_parts(wrong, TextEncoder.from_pretrained(tmp_path/"context"), parts[1])
    assert retriever.encoder_provenance["architecture"] == "DPRContextEncoder"


def test_a_question_encoder_published_for_those_passages(tmp_path):
    "`passage_encoder` in a configuration says so."
    made = RagRetriever.from_documents(toy_documents(), toy_encoder(seed=3), path=tmp_path/"index", progress=False)
    r = Rag.from_parts(made, toy_encoder(), (toy_generator("bart"), toy_tokenizer("bart")), n_docs=3, passage_encoder=encoder_record(toy_encoder(seed=3)))
    r.save_pretrained(tmp_path/"rag"); same(r, Rag.from_pretrained(tmp_path/"rag"))
    config = json.loads((tmp_path/"rag/config.json").read_text())
    assert set(config["passage_encoder"]) == {"name", "probe"}
    assert transformers.RagConfig.from_pretrained(tmp_path/"rag").n_docs == 3
    with pytest.raises(ValueError, match="passage_encoder"): RagConfig(passage_encoder="toy")


def test_one_model_over_two_retrievers_keeps_two_records(encoder, tmp_path):
    r = rag(encoder)
    perturb(r.model.question_encoder)
    fresh = r.with_retriever(RagRetriever.from_documents(toy_documents(), r.encoder, progress=False))
    for x, name in ((r, "old"), (fresh, "fresh")): x.save_pretrained(tmp_path/name); same(x, Rag.from_pretrained(tmp_path/name))


def test_an_index_of_which_nobody_wrote_down_the_encoder_is_judged_by_its_width():
    bare = RagRetriever(index=make_index("exact", torch.randn(2, 32)), passages=Passages.from_documents(["one", "two"]))
    assert rag(toy_encoder()).with_retriever(bare).ask("What?", max_new_tokens=2).hits.mask.sum() == 2


def test_the_published_vectors_are_dprs(tmp_path):
    from hub import build_wiki_dpr
    from rag_nb.store.hub import open_hub_index
    build_wiki_dpr(tmp_path/"wiki_dpr")
    wiki = RagRetriever(index=open_hub_index(f"{tmp_path/'wiki_dpr'}:exact"))
    with pytest.raises(ValueError, match="dpr-ctx_encoder-single-nq-base"): rag(toy_encoder()).with_retriever(wiki)
    part(tmp_path/"question", "question")
    Rag.from_parts(wiki, TextEncoder.from_pretrained(tmp_path/"question"), (toy_generator("bart"), toy_tokenizer("bart")))
