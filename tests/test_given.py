"Networks that are given come out of a RAG model as they went in: adapters, users' own modules, tied and quantised weights."
import copy, warnings

import pytest, torch
from torch import nn
from rag_nb.core.answer import Rag
from rag_nb.core.model import RagModel, RagSequenceForGeneration, RagTokenForGeneration
from rag_nb.core.retriever import RagRetriever
from rag_nb.core.toy import toy_encoder, toy_documents, toy_generator, toy_tokenizer

peft = pytest.importorskip("peft")
TARGETS = dict(bert=["query", "value"], llama=["q_proj", "v_proj"], tied=["q_proj", "v_proj"], bart=["q_proj", "v_proj"], embeddings=["q_proj", "embed_tokens"])


def network(kind):
    "A BERT, or a generator; a tied Llama has one matrix before its layers and behind them."
    torch.manual_seed(0)
    if kind == "bert": return toy_encoder().model
    if kind in ("llama", "bart"): return toy_generator(kind)
    config = copy.deepcopy(toy_generator("llama").config)
    config.tie_word_embeddings = True
    return type(toy_generator("llama"))(config).eval()


def adapted(kind):
    "The network in LoRA matrices that are not zero, so that they count."
    model = peft.get_peft_model(network(kind), peft.LoraConfig(r=2, target_modules=TARGETS[kind])).eval()
    for n, p in model.named_parameters():
        if "lora_" in n: nn.init.normal_(p, std=.5)
    return model


def weights(model): return {n: p.detach().clone() for n, p in model.state_dict().items()}


def same(model, before):
    now = model.state_dict()
    assert list(now) == list(before)
    for n, x in before.items(): assert torch.equal(now[n], x), n


HEADS = [RagModel, RagTokenForGeneration, RagSequenceForGeneration]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", ["llama", "tied", "bart", "embeddings"])
def test_adapters_come_out_as_they_went_in(head, kind):
    encoder, generator = adapted("bert"), adapted(kind)
    before = weights(encoder), weights(generator)
    shared = generator.get_input_embeddings() if kind == "tied" else None
    model = head(question_encoder=encoder, generator=generator, n_docs=2).eval()
    assert model.question_encoder is encoder and model.generator is generator
    same(encoder, before[0]); same(generator, before[1])
    model.init_weights(); same(encoder, before[0]); same(generator, before[1])
    if shared is not None: assert shared.weight is generator.get_output_embeddings().weight


@pytest.mark.parametrize("kind", ["llama", "tied", "bart"])
def test_adapters_are_heard(kind):
    "Logits with the adapter are those of its weights merged, and others than without it."
    generator = adapted(kind)
    merged, bare = copy.deepcopy(generator).merge_and_unload(), network(kind)
    g = torch.Generator().manual_seed(1)
    ids, scores = torch.randint(5, 60, (2, 7), generator=g), torch.tensor([[1., 2.]])
    inputs = dict(context_input_ids=ids, context_attention_mask=torch.ones_like(ids), doc_scores=scores)
    out = []
    for x in (generator, merged, bare):
        model = RagTokenForGeneration(question_encoder=network("bert"), generator=x, n_docs=2).eval()
        with torch.no_grad(): out.append((model(**inputs, labels=torch.tensor([[7, 8, 2]])).logits, model.generate(**inputs, max_new_tokens=5)))
    torch.testing.assert_close(out[0][0], out[1][0], atol=1e-2, rtol=1e-3)                # logits of a lively toy: tens
    assert torch.equal(out[0][1], out[1][1]) and not torch.allclose(out[0][0], out[2][0], atol=.5)


@pytest.mark.parametrize("kind", ["tied", "bart"])
def test_a_rag_from_parts_keeps_adapters(kind, tmp_path):
    encoder, generator = toy_encoder(), adapted(kind)
    encoder.model = adapted("bert")
    before = weights(encoder.model), weights(generator)
    rag = Rag.from_parts(RagRetriever.from_documents(toy_documents(), encoder, progress=False), encoder, (generator, toy_tokenizer()))
    same(encoder.model, before[0]); same(generator, before[1])
    same(rag.model.generator, before[1])
    said = rag.ask("Who?", max_new_tokens=3)
    same(generator, before[1])
    rag.save_pretrained(tmp_path)
    assert Rag.from_pretrained(tmp_path).ask("Who?", max_new_tokens=3).text == said.text


class Own(nn.Module):
    "A user's own layer, with modules that Transformers would initialise by their types."
    def __init__(self, inner):
        super().__init__()
        self.inner, self.more, self.norm, self.table = inner, nn.Linear(inner.out_features, inner.out_features), nn.LayerNorm(inner.out_features), nn.Embedding(3, inner.out_features)
        for p in (*self.more.parameters(), *self.norm.parameters(), *self.table.parameters()): nn.init.normal_(p)

    def forward(self, x): return self.inner(x) + self.norm(self.more(self.inner(x))) + self.table.weight[0]


@pytest.mark.parametrize("head", HEADS)
def test_modules_of_ones_own_stay(head):
    encoder, generator = network("bert"), network("llama")
    encoder.encoder.layer[0].attention.self.query = Own(encoder.encoder.layer[0].attention.self.query)
    generator.model.layers[0].self_attn.q_proj = Own(generator.model.layers[0].self_attn.q_proj)
    before = weights(encoder), weights(generator)
    head(question_encoder=encoder, generator=generator)
    same(encoder, before[0]); same(generator, before[1])


@pytest.mark.parametrize("kind", ["llama", "tied", "bart"])
def test_a_head_with_adapters_is_saved(kind, tmp_path):
    "Its weights are written under their own names, tied ones once."
    model = RagTokenForGeneration(question_encoder=network("bert"), generator=adapted(kind))
    model.save_pretrained(tmp_path)
    from safetensors.torch import load_file
    kept, own = load_file(tmp_path/"model.safetensors"), model.state_dict()
    assert {n for n in own if "lora_" in n} <= set(kept)
    for n, x in kept.items(): assert torch.equal(x, own[n]), n
    missing = {own[n].data_ptr() for n in set(own) - set(kept)}
    assert missing <= {own[n].data_ptr() for n in kept}


def test_networks_that_are_made_are_initialised_and_tied():
    "From a configuration alone: no embedding is left empty, and what is one stays one."
    config = RagTokenForGeneration(question_encoder=network("bert"), generator=network("tied")).config
    model = RagTokenForGeneration(config)
    assert model.generator.lm_head.weight is model.generator.model.embed_tokens.weight
    assert .005 < float(model.generator.lm_head.weight.std()) < .1 and .005 < float(model.question_encoder.encoder.layer[0].output.dense.weight.std()) < .1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(torch.isfinite(p).all() for p in model.parameters())
