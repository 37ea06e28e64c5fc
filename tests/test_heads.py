"Passages tokenised beforehand: the context put together from stored tokens is, id for id, the one tokenised from text."
import warnings

import numpy as np, pytest, torch
from hypothesis import given, settings, strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rag_nb import RagConfig, RagRetriever
from rag_nb.hf.tokenizer import PLAIN_TEMPLATE, _Layout, assemble_contexts
from rag_nb.core.toy import toy_documents, toy_encoder, toy_questions, toy_tokenizer

LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
byte = lambda regex, space=False: pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=regex)
KINDS = {"gpt2": (byte(True), None, "BPE"), "smollm": (pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte(True)]), None, "BPE"),
         "llama3": (pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte(False)]), None, "BPE"),
         "qwen": (pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte(False)]), normalizers.NFC(), "BPE"),
         "one piece": (byte(False), None, "BPE"), "space in front": (byte(True, True), None, "BPE"), "metaspace": (pre_tokenizers.Metaspace(), None, "Unigram"), "nothing": (None, None, "BPE"),
         "lower": (byte(True), normalizers.Lowercase(), "BPE")}
TAKEN = {"gpt2", "smollm", "llama3", "qwen"}
CORPUS = [f"{d['title']}\n{d['text']}\n\nQuestion: {q}\nAnswer: {a} 12 1995 ... // :) :\n\n??! '' é e\u0301 it's n't" for d in toy_documents() for q, a, *_ in toy_questions()]


def made(kind):
    "A small tokenizer of that kind, trained on a few pages so that merges of all sorts are there."
    pre, norm, model = KINDS[kind]
    t = Tokenizer(models.BPE() if model == "BPE" else models.Unigram())
    if pre is not None: t.pre_tokenizer = pre
    if norm is not None: t.normalizer = norm
    special = ["<pad>", "<s>", "</s>"]
    kw = dict(vocab_size=700, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(**kw) if model == "BPE" else trainers.UnigramTrainer(**kw, unk_token="<pad>"))
    t.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token="<pad>", bos_token="<s>", eos_token="</s>")


MADE = {k: made(k) for k in KINDS}
TEMPLATES = [PLAIN_TEMPLATE, None, "{title} {text}Q{question}", "{text}:{question}", "<s>{title}\n{text}</s>{question}", "{text} {{x}} {question} {{y}}", "Q: {question}\n{title}\n{text}", "{question} {text} {question}"]
WORDS = st.lists(st.sampled_from(["tea", "The", "a", " ", "  ", "\n", "\n\n", ".", ":", "?", "!", "//", "'", "'s", "12", "1", "é", "e\u0301", "\u0301", "日本", "🫖", "</s>", "{question}", "\t", "\r\n", "Question", "Question:", "X"]), max_size=9).map("".join)


def layout(tokenizer, template, room=200): return _Layout.of(tokenizer, RagConfig(max_combined_length=room, context_template=template))


@pytest.mark.parametrize("kind", MADE)
@given(st.sampled_from(TEMPLATES), WORDS, WORDS, WORDS, WORDS, st.integers(12, 200))
@settings(max_examples=150, deadline=None)
def test_from_heads_as_from_text(kind, template, title, text, other, question, room):
    lay = layout(MADE[kind], template, room)
    passages, questions = [dict(title=title, text=text), dict(title="", text=other), dict(title=text, text=title)], [question, "What is tea?", question]
    try: want = lay.ids(passages, questions)
    except ValueError: return                                               # the question alone is longer than there is room
    assert lay.ids(passages, questions, lay.heads(passages)) == want
    assert lay.ids(passages, questions, [np.array(h, np.int32) if h else None for h in lay.heads(passages)]) == want


@pytest.mark.parametrize("kind", MADE)
def test_what_can_be_taken_apart_is(kind):
    "Ordinary passages have heads, and they are used; tokenizers that cannot be taken apart have none, and say so by having no key."
    lay, passages = layout(MADE[kind], PLAIN_TEMPLATE), [dict(title=d["title"], text=d["text"]) for d in toy_documents()]
    heads = lay.heads(passages)
    if kind not in TAKEN: assert not any(heads); return
    assert all(heads) and lay.key
    assert None not in lay._from_heads(heads, ["What is tea?"]*len(heads))


def test_keys_tell_layouts_and_tokenizers_apart():
    keys = [layout(MADE[k], t).key for k in sorted(TAKEN) for t in TEMPLATES[:4]]
    assert len(set(keys)) == len(keys) and layout(MADE["gpt2"], TEMPLATES[6]).key is None
    again = made("gpt2")
    assert layout(again, None).key == layout(MADE["gpt2"], None).key
    again(["x"], padding=True, truncation=True, max_length=3)                # settings of a call are no part of it
    assert layout(again, None).key == layout(MADE["gpt2"], None).key
    again.add_tokens(["teapot"])
    assert layout(again, None).key != layout(MADE["gpt2"], None).key


def test_words_beside_the_vocabulary():
    "A word that begins in the seam and ends in the question is found only in the whole."
    t = made("gpt2")
    t.add_tokens([": Who", "teapot"])
    assert layout(t, PLAIN_TEMPLATE).parted() is None
    t = made("gpt2")
    t.add_tokens(["teapot"])
    lay = layout(t, PLAIN_TEMPLATE)
    passages = [dict(title="A", text="a teapot"), dict(title="B", text="a tea pot")]
    assert [h is None for h in lay.heads(passages)] == [True, False]
    assert lay.ids(passages, ["A teapot?"]*2, lay.heads(passages)) == lay.ids(passages, ["A teapot?"]*2)


def test_what_was_stored_by_nobody_knows_whom():
    "Control tokens and ids that there are none of are not read; the text is."
    lay, passages = layout(MADE["gpt2"], PLAIN_TEMPLATE), [dict(title="Tea", text="Tea is a drink.")]
    want = lay.ids(passages, ["Why?"])
    for bad in ([2, 50, 51], [50, 10**6], [50, -1]): assert lay.ids(passages, ["Why?"], [np.array(bad)]) == want


@pytest.fixture
def kept(tmp_path):
    r = RagRetriever.from_documents(toy_documents(), toy_encoder(), path=tmp_path/"f", progress=False)
    r.generator_tokenizer = MADE["smollm"]
    r.config.context_template = PLAIN_TEMPLATE
    return r


def test_a_retriever_reads_what_its_folder_keeps(kept, monkeypatch):
    questions = [q for q, *_ in toy_questions()]
    hits = kept.find(questions, 4)
    want = kept.contexts(questions, hits)
    kept.tokenise()
    seen, encode = [], MADE["smollm"].__class__.__call__
    monkeypatch.setattr(MADE["smollm"].__class__, "__call__", lambda self, texts, *a, **kw: (seen.extend(texts if isinstance(texts, list) else [texts]), encode(self, texts, *a, **kw))[1])
    for r in (kept, RagRetriever.from_pretrained(kept.folder.path, encoder=toy_encoder())):
        got = r.contexts(questions, hits, config=kept.config, tokenizer=MADE["smollm"])
        assert torch.equal(got.context_input_ids, want.context_input_ids) and torch.equal(got.context_attention_mask, want.context_attention_mask)
    assert not [t for t in seen if any(d["text"][:30] in t for d in toy_documents())]   # no passage went through the tokenizer


def test_other_tokenizers_numbers_and_passages_go_the_way_of_the_text(kept):
    questions = ["What is tea?"]
    hits = kept.tokenise().find(questions, 3)
    with pytest.warns(UserWarning, match="were made for another tokenizer or template"): other = kept.contexts(questions, hits, tokenizer=MADE["llama3"])
    assert torch.equal(other.context_input_ids, assemble_contexts(MADE["llama3"], kept.config, questions, hits.passages).context_input_ids)
    with warnings.catch_warnings():
        warnings.simplefilter("error")                                      # said once
        kept.contexts(questions, hits, tokenizer=MADE["llama3"])
    hits.passages[0][1] = dict(hits.passages[0][1], text="Somebody has pasted this in.")
    got = kept.contexts(questions, hits)
    assert torch.equal(got.context_input_ids, assemble_contexts(MADE["smollm"], kept.config, questions, hits.passages).context_input_ids)
    assert "pasted" in MADE["smollm"].decode(got.context_input_ids[1])


def test_tokenise_says_what_it_cannot_do(kept):
    with pytest.raises(ValueError, match="cannot be tokenised beforehand"): kept.tokenise(MADE["metaspace"])
    with pytest.raises(ValueError, match="no folder"): RagRetriever.from_documents(toy_documents(), toy_encoder(), progress=False).tokenise(MADE["gpt2"])
    with pytest.raises(ValueError, match="no generator tokenizer"): RagRetriever.from_pretrained(kept.folder.path, encoder=toy_encoder()).tokenise()


def test_toy_bytes_need_no_splitting():
    for kind in ("llama", "bart"):
        lay = layout(toy_tokenizer(kind), PLAIN_TEMPLATE, 400)
        heads = lay.heads(toy_documents())
        assert all(heads) and lay.ids(toy_documents(), ["Why?"]*12, heads) == lay.ids(toy_documents(), ["Why?"]*12)
