#!/usr/bin/env bash
# Guess: a grapheme cluster (UAX 29, `\X` in the package regex) keeps a vowel sign with its consonant in every script, so a text cut
# between clusters never yields a passage that begins with a combining mark.
# What happens: Burmese AA (U+102C) is a mark (category Mc), but UAX 29 leaves it out of SpacingMark: the cluster ends before it.
# The same vowel sign in Devanagari (U+093E) stays with its consonant.
# Why it matters: a chunker that cuts between clusters still cuts Burmese syllables in two; take `\X\p{M}*` where that must not happen.
set -eu
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --no-compile --disable-pip-version-check regex==2026.11.19
"$dir/venv/bin/python" - <<'PY'
import platform, unicodedata
from importlib.metadata import version
import regex
print("python", platform.python_version(), "regex", version("regex"))
found = {}
for name, text in {"Devanagari": "\u0915\u093e", "Burmese": "\u1000\u102c"}.items():
    plain, kept = regex.findall(r"\X", text), regex.findall(r"\X\p{M}*", text)
    found[name] = (unicodedata.category(text[1]), len(plain), len(kept))
    print(f"{name}: category of the vowel sign {found[name][0]}, clusters {len(plain)} {[ascii(c) for c in plain]}, with marks {len(kept)}")
assert found == {"Devanagari": ("Mc", 1, 1), "Burmese": ("Mc", 2, 1)}, found
PY
