"""Where a word begins and ends in every script, passages of a hundred of them, and the forms by which a question and a text meet."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['words_and_numbers', 'has_words', 'split_passages', 'fold', 'word_units', 'tokenize_words', 'word_spans', 'without_spaces']

_IDEOGRAPH: str

_COMPLEX: str

_MARKS: str

_SPACE: str

_DOTS: str

_PLAIN_RUN: Any

_RUN: Any

def words_and_numbers(text: str) -> list:
    """The words that the splitter counts, as they are written.

Parameters:
    text: anything

Returns: of strings"""
    ...

def has_words(text: str) -> bool:
    """Is there anything in a text but space?

Parameters:
    text: anything"""
    ...

def split_passages(text: str, n_words: int=100, overlap: int=0) -> list:
    """Spans of the passages of a text: on word borders, in order, covering every word.

Parameters:
    text: the document
    n_words: words in a passage; the last one may have fewer
    overlap: words that a passage shares with the one before it; 0 gives DPR's disjoint blocks

Returns: `(start, end)` in characters, so that `text[start:end]` is the passage"""
    ...

_LETTER: str

_WORD: Any

_ONE: Any

_PLAIN_WORD: Any

_WIDTH: Any

_SILENT: Any

def fold(text: str) -> str:
    """The text in small letters, composed (NFC), in normal width, without soft hyphens and joiners.

Parameters:
    text: anything"""
    ...

def word_units(text: str) -> list:
    """The words of a text as they follow each other, folded; where no spaces are written, its characters.

Parameters:
    text: anything

Returns: of strings"""
    ...

def tokenize_words(text: str) -> list:
    """The words of a text that BM25 counts, folded: ideographs one by one, Thai, Lao, Khmer and Burmese in pairs of characters.

Parameters:
    text: anything

Returns: of strings"""
    ...

def _pairs(characters): ...

def word_spans(text: str) -> list:
    """Where the words of a text stand, as it is written.

Parameters:
    text: anything

Returns: `(start, end)` in characters"""
    ...

_UNSPACED: Any

def without_spaces(word: str) -> bool:
    """Is it of a script in which it may stand between other letters: ideographs, Korean, the scripts of South-East Asia?

Parameters:
    word: a word, or a few"""
    ...
