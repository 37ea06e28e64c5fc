"Words in every script: Unicode's own data as the authority, and the shipped English as it was."
import hashlib, json, re, unicodedata
from pathlib import Path

import numpy as np, pytest
from hypothesis import given, strategies as st

import rag_nb
from rag_nb import BM25Index, Passages, split_passages, tokenize_words
from rag_nb.core.evaluate import exact_match, f1_score, holds_answer, normalize_answer
from rag_nb.core.words import fold, has_words, words_and_numbers, word_spans, word_units

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
SENTENCES = {"thai": "แมวนอนหลับอยู่บนเตียง", "lao": "ແມວນອນຫຼັບຢູ່ເທິງຕຽງ", "khmer": "ឆ្មាកំពុងដេកលើគ្រែ", "burmese": "ကြောင်အိပ်ရာပေါ်မှာအိပ်နေတယ်", "half-width katakana": "ﾄｳｷｮｳﾀﾜｰﾊﾀｶｲ",
             "beyond the basic plane": "𠀀𠀁𠀂𠀃𠮷𪚥", "chinese": "知識就是力量", "japanese": "猫はベッドで眠っています", "javanese": "ꦏꦸꦕꦶꦁꦠꦸꦫꦸ", "tibetan": "ཞི་མི་གཉིད་ཉལ་བ་རེད།", "yi": "ꆈꌠꁱꂷ"}


@pytest.mark.parametrize("name", SENTENCES)
@pytest.mark.parametrize("between", ["", " "])
def test_passages_are_of_the_usual_size_in_every_script(name, between):
    sentence = SENTENCES[name] + between
    text = sentence * (10_000//len(sentence))
    spans = split_passages(text)
    assert 15 <= len(spans) <= 120 and max(e - s for s, e in spans) <= 700              # a hundred English words have about 600 characters
    assert "".join(text[s:e] for s, e in spans).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("name", SENTENCES)
def test_a_passage_never_begins_with_a_mark(name):
    text = SENTENCES[name] * 60
    assert not [s for s, _ in split_passages(text, 7) if unicodedata.category(text[s]).startswith("M")]


def test_the_shipped_english_is_split_and_counted_as_before():
    "Digests of what the splitter and the words were before they knew other scripts; of 2,067 passages one has a letter with a mark outside NFC, in a phonetic spelling."
    passages = Passages.open(Path(rag_nb.__file__).parent/"knowledge/squad48/passages.parquet")
    spans, old, new, other = hashlib.sha256(), hashlib.sha256(), hashlib.sha256(), []
    before = lambda text: re.findall("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\\W\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+", text.lower())
    for i, p in enumerate(passages):
        spans.update(json.dumps([split_passages(p["text"], n, o) for n, o in ((100, 0), (20, 5))]).encode())
        words, was = tokenize_words(text := f"{p['title']}\n{p['text']}"), before(text)
        old.update(json.dumps(was).encode()); new.update(json.dumps(was if words != was else words).encode())
        if words != was: other.append((i, [w for w in was if w not in words], [w for w in words if w not in was]))
    assert spans.hexdigest() == "67cd99fde1190b6b59dd46eea07b019458358207fbab90b0ecb7fcdeede875b1"
    assert old.hexdigest() == new.hexdigest() == "400c46f4044610743c78561a43d0db0129dbc2e919aea6dbea8fa8d453b25fad"
    assert other == [(346, ["ˈmaɐ", "tiːn"], ["ˈmaɐ̯tiːn"])]


@given(st.text(st.characters(max_codepoint=127), max_size=200))
def test_plain_ascii_takes_the_short_way_to_the_same_words(text):
    assert words_and_numbers(text) == [w for w in words_and_numbers(text + " é") if w != "é"]
    assert tokenize_words(text) == tokenize_words(text + " é")[:-1] == re.findall(r"\w+", text.lower())


@given(texts)
def test_words_meet_across_normal_forms(text):
    assert tokenize_words(unicodedata.normalize("NFC", text)) == tokenize_words(unicodedata.normalize("NFD", text))
    assert has_words(text) == bool(words_and_numbers(text)) or "\u0f0b" in text


@given(texts)
def test_places_of_words(text):
    spans = word_spans(text)
    assert all(0 <= s < e <= len(text) for s, e in spans) and all(a[1] <= b[0] for a, b in zip(spans, spans[1:]))


@pytest.mark.parametrize("text, words", [
    ("कीट और कोट", ["कीट", "और", "कोट"]), ("বাংলা ভাষা", ["বাংলা", "ভাষা"]), ("தமிழ் மொழி", ["தமிழ்", "மொழி"]), ("שָׁלוֹם עוֹלָם", ["שָׁלוֹם", "עוֹלָם"]), ("كِتَابٌ جَدِيدٌ", ["كِتَابٌ", "جَدِيدٌ"]),
    ("Müller, naïve", ["müller", "naïve"]), ("ＡＢＣ１２", ["abc12"]), ("ｶﾞｽ", ["ガ", "ス"]), ("𠮷野家", ["𠮷", "野", "家"]), ("한국", ["한", "국"]), ("แมว", ["แม", "มว"]), ("soft\u00adhyphen", ["softhyphen"]), ("क्\u200dष", ["क्ष"])])
def test_words_of_many_scripts(text, words): assert tokenize_words(text) == [unicodedata.normalize("NFC", w) for w in words]


@pytest.mark.parametrize("right, wrong, question", [
    ("कीट काला है", "कोट काला है", "कीट"), ("ব্যাংক দূরে", "বাঘ দূরে", "ব্যাংক"), ("மரம் பெரிது", "மாரம் பெரிது", "மரம்"), ("แมวนอนบนเตียง", "หมาวิ่งในสวน", "แมวอยู่ไหน"),
    ("Herr Mu\u0308ller kommt", "Herr Maier kommt", "Wer ist M\u00fcller?"), ("東京ﾀﾜｰ", "大阪城", "タワー"), ("ＮＡＳＡ の基地", "駅の前", "nasa"), ("𠮷野家は安い", "土野家は安い", "𠮷")])
def test_bm25_finds_the_word_and_not_its_likeness(right, wrong, question):
    scores = BM25Index(Passages({"text": [wrong, right, "something else"]}), progress=False).scores(question)
    assert np.argmax(scores) == 1 and scores[1] > scores[0]


def test_hindi_vowels_tell_words_apart():
    assert BM25Index(Passages({"text": ["कोट", "कीट"]}), progress=False).scores("कीट")[0] == 0


@pytest.mark.parametrize("text, answers, held", [
    ("中华人民共和国的首都是北京，位于华北。", ["北京"], True), ("首都は東京です。", ["東京"], True), ("เมืองหลวงของไทยคือกรุงเทพมหานคร", ["กรุงเทพ"], True), ("He said “Paris” then.", ["Paris"], True),
    ("首都是北京", ["南京"], False), ("ＮＡＳＡは1958年に", ["NASA"], True), ("ＮＡＳＡは1958年に", ["195"], False), ("“the”", ["the"], False), ("Der Mu\u0308ller ging.", ["M\u00fcller"], True), ("a Parisian’s", ["Paris"], False)])
def test_what_a_text_holds(text, answers, held): assert holds_answer(text, answers) is held


def test_answers_in_other_scripts():
    assert exact_match("北京。", ["北京"]) == 0 and exact_match("北京。", ["北京"], normalize="unicode") == 1
    assert f1_score("北京市", ["北京"], normalize="unicode") == pytest.approx(.8)             # 2 of 3 characters, 2 of 2
    assert exact_match("‘Paris’", ["Paris"], normalize="unicode") == exact_match("ﾄｳｷｮｳ", ["トウキョウ"], normalize="unicode") == 1
    assert normalize_answer("The U.S. Navy!") == normalize_answer("The U.S. Navy!", "unicode") == "us navy"
    with pytest.raises(ValueError, match="'squad' or 'unicode', not 'german'"): normalize_answer("x", "german")


def test_folding_keeps_what_differs():
    assert fold("km²") != fold("km2") and fold("ﬁ") == "ﬁ" and word_units("แมว") == ["แ", "ม", "ว"]
