"The encoder against hand computations and against Transformers' own DPR classes."
import json
from pathlib import Path

import numpy as np, pytest, torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import (BertConfig, BertModel, DistilBertConfig, DistilBertModel, DPRConfig, DPRContextEncoder,
                          DPRQuestionEncoder, PreTrainedTokenizerFast, RobertaConfig, RobertaModel)

from rag_nb.core.config import EncoderSpec
from rag_nb.core.encoder import TextEncoder, embed

SIZES = dict(vocab_size=64, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=24)


def tokenizer(limit=1000):
    "Bytes modulo 60, with BERT's [CLS] and [SEP] (2 and 3) and token types."
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3} | {w: i + 4 for i, w in enumerate("abcdefghijklmnopqrstuvwxyz:")}
    raw = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    raw.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
                                                       special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
                                   model_max_length=limit, model_input_names=["input_ids", "token_type_ids", "attention_mask"])


def bert(cls=BertModel, config=None, seed=0):
    torch.manual_seed(seed)
    model = cls(config or BertConfig(**SIZES)).eval()
    with torch.no_grad():
        for p in model.parameters(): p.add_(torch.randn_like(p)*.2)
    return model


TEXTS = ["abc", "a much longer text", "b", "hello you", "zz top of"]


@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
@pytest.mark.parametrize("normalize", [False, True])
def test_pooling_by_hand(pooling, normalize):
    "One text at a time, no padding, with the definitions of sentence-transformers written out."
    model, tok = bert(), tokenizer()
    enc = TextEncoder(model, tok, EncoderSpec(pooling=pooling, normalize=normalize))
    for text, vector in zip(TEXTS, enc.encode(TEXTS, batch_size=3)):
        with torch.no_grad(): out = model(**tok(text, return_tensors="pt"))
        hidden = out.last_hidden_state[0]
        by_hand = dict(mean=sum(hidden)/len(hidden), cls=hidden[0], pooler=out.pooler_output[0])[pooling]
        if normalize: by_hand = by_hand / by_hand.pow(2).sum().sqrt()
        assert np.allclose(vector, by_hand.numpy(), atol=1e-5)


@pytest.mark.parametrize("cls", [DPRContextEncoder, DPRQuestionEncoder])
def test_dpr_is_its_own_pooler(cls, tmp_path):
    tok, config = tokenizer(), DPRConfig(**SIZES, projection_dim=12)
    model = bert(cls, config)
    docs = [dict(title="one", text="the first"), dict(title="two", text="b"), dict(title="iii", text="the third one")]
    batch = tok([d["title"] for d in docs], [d["text"] for d in docs], padding=True, truncation=True, return_tensors="pt")
    assert batch["token_type_ids"].max() == 1
    with torch.no_grad(): theirs = model(**batch).pooler_output
    model.save_pretrained(tmp_path); tok.save_pretrained(tmp_path)
    enc = TextEncoder.from_pretrained(tmp_path)
    assert type(enc.model) is cls and enc.spec == EncoderSpec() and enc.dim == 12
    assert np.allclose(enc.encode(docs, kind="passage"), theirs.numpy(), atol=1e-5)


def st_files(folder, modules=("Transformer", "Pooling", "Normalize"), pooling=None, length=10, prompts=None, style="sentence_transformers.models."):
    files = {"modules.json": [dict(idx=i, name=str(i), path="" if i == 0 else f"{i}_{m}", type=style + m) for i, m in enumerate(modules)],
             "1_Pooling/config.json": pooling or dict(pooling_mode_cls_token=False, pooling_mode_mean_tokens=True),
             "sentence_bert_config.json": dict(max_seq_length=length), "config_sentence_transformers.json": dict(prompts=prompts or {})}
    for name, value in files.items():
        (Path(folder)/name).parent.mkdir(exist_ok=True)
        (Path(folder)/name).write_text(json.dumps(value))


def test_sentence_transformers_files(tmp_path):
    model, tok = bert(), tokenizer()
    model.save_pretrained(tmp_path); tok.save_pretrained(tmp_path)
    st_files(tmp_path, prompts={"query": "query: ", "document": "passage: "})
    enc = TextEncoder.from_pretrained(str(tmp_path))
    assert enc.spec == EncoderSpec("mean", True, "query: ", "passage: ", "{title}\n{text}", 10, 10)
    text = "a text that is much too long for ten tokens"
    with torch.no_grad():
        hidden = model(**tok("query: " + text, truncation=True, max_length=10, return_tensors="pt")).last_hidden_state[0]
    assert len(hidden) == 10
    by_hand = hidden.mean(0) / hidden.mean(0).norm()
    assert np.allclose(enc.encode([text])[0], by_hand.numpy(), atol=1e-5)
    st_files(tmp_path, pooling=dict(embedding_dimension=16, pooling_mode="cls"), style="sentence_transformers.sentence_transformer.modules.x.")
    assert TextEncoder.from_pretrained(tmp_path).spec.pooling == "cls"
    for files, ours in ((dict(pooling_mode_max_tokens=True), "max"), (dict(pooling_mode="lasttoken"), "lasttoken"),
                        (dict(pooling_mode_mean_tokens=True, pooling_mode_cls_token=True), "cls+mean")):
        st_files(tmp_path, pooling=files)
        assert TextEncoder.from_pretrained(tmp_path).spec.pooling == ours
    st_files(tmp_path, pooling=dict(pooling_mode="median"))
    with pytest.raises(ValueError, match="median"): TextEncoder.from_pretrained(tmp_path)
    st_files(tmp_path, modules=("Transformer", "Pooling", "Dense"))  # without a file that says its sizes
    with pytest.raises(ValueError, match="Dense"): TextEncoder.from_pretrained(tmp_path)
    spec = EncoderSpec(pooling="cls")  # a spec given by hand asks nobody
    assert TextEncoder.from_pretrained(tmp_path, spec=spec).spec == spec


def test_plain_checkpoint_and_saved_spec(tmp_path):
    model, tok = bert(), tokenizer()
    model.save_pretrained(tmp_path/"plain"); tok.save_pretrained(tmp_path/"plain")
    enc = TextEncoder.from_pretrained(tmp_path/"plain")
    assert enc.spec == EncoderSpec(pooling="mean", passage_template="{title}\n{text}") and enc.name == str(tmp_path/"plain")
    enc.spec = EncoderSpec(pooling="cls", normalize=True, question_prefix="q ")
    enc.save_pretrained(tmp_path/"own")
    again = TextEncoder.from_pretrained(tmp_path/"own")
    assert again.spec == enc.spec and again.fingerprint() == enc.fingerprint() and again.fingerprint() != TextEncoder.from_pretrained(tmp_path/"plain").fingerprint()
    assert len(again.fingerprint()) == 16 and all(isinstance(x, float) for x in again.fingerprint())
    json.dumps(again.fingerprint())


def test_order_batches_and_mixed_passages():
    enc = TextEncoder(bert(), tokenizer(), EncoderSpec(pooling="mean"))
    items = ["just text", dict(title="t", text="with title"), dict(text="no title", id=3), dict(title=" ", text="blank title"), dict(title="a", text="b")]
    together = enc.encode(items, kind="passage", batch_size=2)
    for i, item in enumerate(items): assert np.allclose(together[i], enc.encode([item], kind="passage")[0], atol=1e-5)
    assert np.allclose(enc.encode([dict(text="no title")], kind="passage"), enc.encode(["no title"], kind="passage"), atol=1e-6)
    assert enc.encode([], kind="passage").shape == (0, 16)
    assert enc.encode(items, kind="passage", progress=True).dtype == np.float32


def test_gradient_and_training_mode():
    enc = TextEncoder(bert(config=BertConfig(**SIZES, hidden_dropout_prob=.5)), tokenizer(), EncoderSpec(pooling="mean", normalize=True))
    enc.model.train()
    a, b = enc.encode(TEXTS), enc.encode(TEXTS)
    assert np.array_equal(a, b) and enc.model.training  # no dropout while encoding; and training goes on after
    with pytest.raises(ValueError): enc.encode(["ok", ""])
    assert enc.model.training
    v = enc(TEXTS)
    v[:, 0].sum().backward()
    assert v.shape == (5, 16) and enc.model.embeddings.word_embeddings.weight.grad.abs().sum() > 0


def test_half_precision_gives_float32():
    model, tok = bert().to(torch.bfloat16), tokenizer()
    enc = TextEncoder(model, tok, EncoderSpec(pooling="mean", normalize=True))
    v = enc(["abc", "a longer one"])
    assert v.dtype == torch.float32 and torch.allclose(v.norm(dim=-1), torch.ones(2), atol=1e-6)
    assert enc.encode(["abc"]).dtype == np.float32


def test_token_types_only_where_wanted():
    tok = tokenizer()
    distil = DistilBertModel(DistilBertConfig(vocab_size=64, dim=16, n_layers=1, n_heads=2, hidden_dim=32, max_position_embeddings=24)).eval()
    batch = tok(["abc"], ["de"], return_tensors="pt")
    assert embed(distil, EncoderSpec(pooling="cls"), **batch).shape == (1, 16)
    model = bert()
    with_types, without = (embed(model, EncoderSpec(pooling="cls"), batch["input_ids"], batch["attention_mask"], t)
                           for t in (batch["token_type_ids"], None))
    assert not torch.allclose(with_types, without)
    everything = embed(model, EncoderSpec(pooling="mean"), batch["input_ids"])  # no mask: every token counts
    assert torch.allclose(everything, embed(model, EncoderSpec(pooling="mean"), batch["input_ids"], torch.ones_like(batch["input_ids"])), atol=1e-6)


def test_an_adapter_around_the_model():
    peft = pytest.importorskip("peft")
    model, tok = bert(), tokenizer()
    before = TextEncoder(model, tok, EncoderSpec(pooling="mean")).encode([dict(title="a", text="b")], kind="passage")
    wrapped = peft.get_peft_model(model, peft.LoraConfig(target_modules=["query", "value"], r=2))
    enc = TextEncoder(wrapped, tok, EncoderSpec(pooling="mean"), name="adapted")
    assert np.allclose(enc.encode([dict(title="a", text="b")], kind="passage"), before, atol=1e-6) and enc.dim == 16


@pytest.mark.parametrize("limit", [8, 1000, int(1e30)])
def test_never_more_tokens_than_positions(limit):
    long = "a" * 500
    enc = TextEncoder(bert(), tokenizer(limit), EncoderSpec(pooling="mean", question_max_length=300))
    assert enc.max_length("question") == 24 and enc.max_length("passage") == min(limit, 24)
    assert enc.encode([long]).shape == (1, 16)
    roberta = RobertaModel(RobertaConfig(**SIZES, pad_token_id=1)).eval()
    enc = TextEncoder(roberta, tokenizer(limit), EncoderSpec(pooling="mean"))
    assert enc.max_length() == min(limit, 22) and enc.encode([long]).shape == (1, 16)


@pytest.mark.parametrize("items, kind, error, said", [
    (["ok", " \n"], "question", ValueError, "question 1 is empty"), ([""], "passage", ValueError, "passage 0 is empty"),
    ([dict(id="d7", title="T", text="")], "passage", ValueError, "passage 0 .id 'd7'. is empty"),
    ([dict(title="T")], "passage", TypeError, "passage 0 must be a string or a dict with text"), ([None], "question", TypeError, "NoneType"),
    ("a string", "question", TypeError, "in a list"), (dict(text="x"), "passage", TypeError, "in a list"),
    (["x"], "document", ValueError, "'question' or 'passage'")])
def test_clear_errors(items, kind, error, said):
    with pytest.raises(error, match=said): TextEncoder(bert(), tokenizer()).encode(items, kind=kind)


def test_pooling_that_the_model_lacks():
    batch = tokenizer()(["abc"], return_tensors="pt")
    with pytest.raises(ValueError, match="last_hidden_state"): embed(bert(DPRContextEncoder, DPRConfig(**SIZES)), EncoderSpec(pooling="mean"), **batch)
    no_pooler = BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()
    with pytest.raises(ValueError, match="pooler_output"): embed(no_pooler, EncoderSpec(), **batch)


def test_repr_and_device():
    enc = TextEncoder(bert(), tokenizer(), EncoderSpec(pooling="mean", normalize=True), name="tiny").to("cpu")
    assert repr(enc) == "TextEncoder('tiny', 16 numbers, pooling mean, normalised, on cpu)" and enc.device.type == "cpu"


def test_nothing_there(tmp_path):
    with pytest.raises((OSError, ValueError), match="config.json"): TextEncoder.from_pretrained(tmp_path)


@pytest.mark.parametrize("architecture", ["BertModel", "DPRContextEncoder"])
def test_no_network_for_the_small_files(monkeypatch, tmp_path, architecture, recwarn):
    "The weights are in the cache, the small files are not, and nobody can be asked: assumed, but not in silence."
    import rag_nb.core.encoder
    def offline(*args, **kwargs): raise OSError("We couldn't connect")
    model = bert() if architecture == "BertModel" else bert(DPRContextEncoder, DPRConfig(**SIZES))
    model.save_pretrained(tmp_path); tokenizer().save_pretrained(tmp_path)
    monkeypatch.setattr(rag_nb.core.encoder, "cached_file", offline)
    enc = TextEncoder.from_pretrained(tmp_path)
    said = [str(w.message) for w in recwarn if "could not be asked" in str(w.message)]
    assert (enc.spec.pooling, len(said)) == (("mean", 1) if architecture == "BertModel" else ("pooler", 0))


def test_a_broken_file_is_named(tmp_path):
    bert().save_pretrained(tmp_path); tokenizer().save_pretrained(tmp_path)
    (tmp_path/"modules.json").write_text("[{")
    with pytest.raises(ValueError, match="modules.json of .* is not valid JSON"): TextEncoder.from_pretrained(tmp_path)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_by_hand_is_the_tokenizers_own(side):
    from rag_nb.core.encoder import _padded
    from rag_nb.core.toy import toy_encoder
    enc = toy_encoder()
    enc.tokenizer.padding_side = side
    rows = enc.tokenize(["octopus", "three hearts of an octopus", "moon"])
    theirs = enc.tokenizer.pad(rows, padding=True, return_tensors="pt")
    ours = _padded(enc.tokenizer, rows)
    assert ours.keys() == dict(theirs).keys()
    for k in ours: assert torch.equal(ours[k], theirs[k]) and ours[k].dtype == theirs[k].dtype
