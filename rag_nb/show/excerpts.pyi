"""Which words of a question and an answer say something, where they stand in a passage, and the one line of it that shows them."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['telling_words', 'word_marker', 'one_line']

_EVERYWHERE: Any

def telling_words(text: str) -> list:
    """The words of a text that say something, in lower case.

Parameters:
    text: a question or an answer

Returns: of strings, each once"""
    ...

def _whole(word):
    """A pattern for a word that is not part of a longer one."""
    ...

def word_marker(**kinds):
    """A regular expression with a group for each kind of word; None where there is no word at all."""
    ...

def one_line(text: str, marker, n: int=160) -> str:
    """About n characters of a text on one line, where the words are that matter.

Parameters:
    text: of a passage
    marker: as `word_marker` gives it: the kind "answer" goes before "question"
    n: characters"""
    ...
