"The configuration against Transformers' own: field for field, and files in both directions."
import json
from dataclasses import fields

import pytest
from transformers import (BartConfig, BertConfig, DPRConfig, EncoderDecoderConfig, GPT2Config, LlamaConfig, MBartConfig,
                          T5Config)
from transformers import RagConfig as TheirConfig

from rag_nb.core.config import EncoderSpec, RagConfig

def small(kind):
    "A small generator configuration of each kind."
    return dict(bart=BartConfig(vocab_size=260, d_model=32), t5=T5Config(vocab_size=260, d_model=32),
                mbart=MBartConfig(vocab_size=260, d_model=32), llama=LlamaConfig(vocab_size=260, hidden_size=32),
                gpt2=GPT2Config(vocab_size=260, n_embd=32, bos_token_id=1, eos_token_id=2),
                pair=EncoderDecoderConfig.from_encoder_decoder_configs(
                    BertConfig(vocab_size=50), BertConfig(vocab_size=77, pad_token_id=3), decoder_start_token_id=5))[kind]


KINDS = ["bart", "t5", "mbart", "llama", "gpt2", "pair"]


def test_every_published_field_and_default():
    theirs, ours = ({f.name: f.default for f in fields(c)} for c in (TheirConfig, RagConfig))
    assert {k: ours.get(k, "missing") for k in theirs} == theirs
    assert TheirConfig.model_type == RagConfig.model_type == "rag"


@pytest.mark.parametrize("kind", KINDS)
def test_we_save_they_load(tmp_path, kind):
    ours = RagConfig(question_encoder=DPRConfig(hidden_size=48), generator=small(kind), n_docs=7, title_sep=" | ",
                     label_smoothing=.1, score_scale=20., pooling="mean", retriever_type="hf_retriever")
    ours.save_pretrained(tmp_path)
    theirs = TheirConfig.from_pretrained(tmp_path)
    assert (theirs.n_docs, theirs.title_sep, theirs.label_smoothing, theirs.retriever_type) == (7, " | ", .1, "hf_retriever")
    assert theirs.generator.to_dict() == ours.generator.to_dict()
    assert theirs.question_encoder.to_dict() == ours.question_encoder.to_dict()
    theirs.save_pretrained(tmp_path/"again")
    again = RagConfig.from_pretrained(tmp_path/"again")
    assert again.to_dict() == ours.to_dict() and (again.score_scale, again.pooling) == (20., "mean")


@pytest.mark.parametrize("kind", KINDS)
def test_they_save_we_load(tmp_path, kind):
    theirs = TheirConfig(question_encoder=DPRConfig(hidden_size=48).to_dict(), generator=small(kind).to_dict(), n_docs=3,
                         index_name="exact", reduce_loss=True)
    theirs.save_pretrained(tmp_path)
    ours = RagConfig.from_pretrained(tmp_path)
    for f in fields(TheirConfig):
        a, b = getattr(theirs, f.name), ours.__dict__[f.name]
        a, b = (x.to_dict() if hasattr(x, "to_dict") else x for x in (a, b))
        assert a == b or f.name == "transformers_version", f.name
    assert (ours.score_scale, ours.pooling, ours.normalize, ours.context_template) == (1.0, "pooler", False, None)


def test_saved_file_is_as_published(tmp_path):
    "What we write without extras holds the same values under the same names as what they write."
    for cls, folder in ((RagConfig, "ours"), (TheirConfig, "theirs")):
        cls(question_encoder=DPRConfig().to_dict(), generator=BartConfig().to_dict()).save_pretrained(tmp_path/folder)
    ours, theirs = (json.loads((tmp_path/f/"config.json").read_text()) for f in ("ours", "theirs"))
    assert {k: ours.get(k) for k in theirs} == theirs
    assert set(ours) - set(theirs) <= {f.name for f in fields(RagConfig)} - {f.name for f in fields(TheirConfig)}


def test_old_keys_are_kept():
    old = json.loads("""{"architectures": ["RagTokenForGeneration"], "model_type": "rag", "retriever_type": "hf_retriever",
        "pretrained_generator_name_or_path": "facebook/bart-large", "forced_eos_token_id": 2, "num_beams": 4, "vocab_size": null,
        "label_smoothing": 0, "n_docs": 5, "generator": {"d_model": 64, "extra_pos_embeddings": 2, "num_beams": 4},
        "question_encoder": {"model_type": "dpr", "hidden_size": 64, "xla_device": null}}""")
    c = RagConfig.from_dict(dict(old))
    assert (c.retriever_type, c.pretrained_generator_name_or_path) == ("hf_retriever", "facebook/bart-large")
    assert isinstance(c.generator, BartConfig) and c.generator.d_model == 64
    assert "model_type" not in old["generator"] and old["question_encoder"]["model_type"] == "dpr"


@pytest.mark.parametrize("kind", KINDS)
def test_borrowed_from_the_generator(kind):
    g = small(kind)
    c = RagConfig(generator=g)
    text = g.decoder if kind == "pair" else g
    assert (c.vocab_size, c.pad_token_id, c.eos_token_id, c.bos_token_id) == (
        text.vocab_size, text.pad_token_id, text.eos_token_id, getattr(text, "bos_token_id", None))
    assert c.decoder_start_token_id == getattr(g, "decoder_start_token_id", None)
    assert c.__dict__["vocab_size"] is None
    c.eos_token_id = [2, 3]
    assert c.eos_token_id == [2, 3]
    assert c.is_encoder_decoder and c.generator_is_decoder_only == (kind in ("llama", "gpt2"))


def test_a_resized_vocabulary_is_seen():
    c = RagConfig(generator=small("bart"))
    c.get_text_config(decoder=True).vocab_size = 300
    assert c.vocab_size == 300


def test_attention_reaches_both_models():
    c = RagConfig(generator=small("bart"), attn_implementation="eager")
    assert c.question_encoder._attn_implementation == c.generator._attn_implementation == "eager"
    c = RagConfig(generator=small("bart"), attn_implementation={"question_encoder": "sdpa", "generator": "eager"})
    assert (c.question_encoder._attn_implementation, c.generator._attn_implementation) == ("sdpa", "eager")


@pytest.mark.parametrize("values, said", [
    (dict(n_docs=0), "whole number of documents"), (dict(n_docs=2.5), "whole number"), (dict(n_docs="5"), "whole number"),
    (dict(label_smoothing=1.0), "[0, 1)"), (dict(label_smoothing=-.1), "[0, 1)"), (dict(label_smoothing="a"), "[0, 1)"),
    (dict(score_scale=0), "positive"), (dict(score_scale=float("nan")), "positive"), (dict(score_scale=None), "positive"),
    (dict(pooling="sum"), "pooler, mean, cls"), (dict(pooling=["mean"]), "pooler, mean, cls"),
    (dict(context_template="{title} {text}"), "leaves out {question}"), (dict(context_template="{question}"), "leaves out {text}"),
    (dict(context_template="{text} {question} {0}"), "{0}"), (dict(context_template="{text.__class__} {question}"), "{text.__class__}"),
    (dict(context_template="{text} {question"), "not a template"), (dict(context_template="{text:{x}} {question}"), "{text:{x}}"),
    (dict(context_template=3), "not a template"),
    (dict(passage_template="{title}"), "leaves out {text}"), (dict(passage_template="{text} {question}"), "{question}"),
    (dict(generator={"model_type": "abacus"}), "abacus")])
def test_unusable_values(values, said, tmp_path):
    with pytest.raises(ValueError) as e: RagConfig(**values)
    assert said in str(e.value) and next(iter(values)) in str(e.value)
    name, value = next(iter(values.items()))
    if name == "generator": return
    c = RagConfig()
    with pytest.raises(ValueError): setattr(c, name, value)
    c.save_pretrained(tmp_path)
    with pytest.raises(ValueError): RagConfig.from_pretrained(tmp_path, **values)


@pytest.mark.parametrize("template", ["{text}\n\nQuestion: {question}", "{{literally}} {title}{text} {question}"])
def test_usable_templates(template):
    c = RagConfig(context_template=template)
    assert "x" in c.context_template.format(title="t", text="x", question="q")


def test_wrong_type_of_model():
    with pytest.raises(TypeError, match="question_encoder.*got str"): RagConfig(question_encoder="facebook/dpr")


def test_encoder_spec():
    c = RagConfig(pooling="cls", normalize=True, question_prefix="query: ", passage_template="{title}\n{text}", passage_max_length=64)
    spec = c.encoder_spec()
    assert spec == EncoderSpec("cls", True, "query: ", "", "{title}\n{text}", None, 64)
    assert EncoderSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    assert EncoderSpec() == RagConfig().encoder_spec()
    with pytest.raises(ValueError, match="newer"): EncoderSpec.from_dict({"pooling": "mean", "whitening": True})
    with pytest.raises(ValueError, match="pooler, mean, cls"): EncoderSpec(pooling="sum")


def test_from_configs_copies_and_takes_dicts():
    g = small("bart")
    c = RagConfig.from_question_encoder_generator_configs(DPRConfig().to_dict(), g, n_docs=2)
    c.generator.d_model = 64
    assert (g.d_model, c.n_docs, type(c.question_encoder)) == (32, 2, DPRConfig)


def test_copies_are_equal():
    import copy, pickle
    c = RagConfig(generator=small("llama"), n_docs=2, extra="kept")
    assert copy.deepcopy(c) == c and pickle.loads(pickle.dumps(c)) == c
    assert RagConfig.from_dict(c.to_dict()).to_dict() == c.to_dict()
    assert "n_docs" in repr(c)
