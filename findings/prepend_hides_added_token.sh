#!/usr/bin/env bash
# Guess: a word added to a tokenizer (`AddedToken`) is found wherever it stands in a text, at its beginning and in the middle of a word.
# What happens: with `normalized=True`, the default for words that are not special, the normalizer runs over the word too. A `Prepend`, as
# SentencePiece conversions have it, puts its mark in front, so the word is found only behind that mark: "xyz" and "a xyz", not "axyz".
# Why it matters: `</think>` or `<tool_call>` added this way is a token at the beginning of a line and pieces of text behind a letter.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check tokenizers==0.23.3
"$dir/venv/bin/python" - <<'PY'
from importlib.metadata import version
from tokenizers import AddedToken, Tokenizer, models, normalizers
print("tokenizers", version("tokenizers"))

def found(normalized):
    "In which of three texts the added word is one token."
    t = Tokenizer(models.WordLevel({"[UNK]": 0, "a": 1, "\u2581a": 2, "\u2581": 3}, unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    t.add_tokens([AddedToken("xyz", normalized=normalized)])
    return {text: t.token_to_id("xyz") in t.encode(text).ids for text in ("xyz", "a xyz", "axyz")}

seen = {normalized: found(normalized) for normalized in (False, True)}
print(seen)
assert seen[False] == {"xyz": True, "a xyz": True, "axyz": True} and seen[True] == {"xyz": True, "a xyz": True, "axyz": False}, seen
PY
