"""A passage may contain the very characters with which a chat model is steered. They have to reach it as characters."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['control_words', 'PlainText', 'plain_text', 'encode_plain', 'cut_at_controls']

_BRACKETED: Any

def control_words(tokenizer, vocabulary=...) -> dict:
    """The tokens that steer a model: special ones, and words in brackets that were added beyond the vocabulary.

Parameters:
    tokenizer: any
    vocabulary: the words that its model knows without the added ones

Returns: id: `AddedToken`"""
    ...

def _parts(p): ...

def _without_space(d, way):
    """A tokenizer's description that writes no space in front, as far as it would write none at this place."""
    ...

def _hidden(model, words, special):
    """A model's description in which control words have names that no text has; the one for what is unknown keeps its own."""
    ...

class PlainText:
    """A fast tokenizer's copies that read every text as text, and the control words that they do not know."""
    size: Any
    model: Any
    controls: Any
    ids: dict
    fingerprint: Any
    about: Any
    ways: dict
    made: list
    hidden: Any

    def __init__(self, tokenizer) -> None: ...

    @property
    def words(self):
        """"""
        ...

def _fingerprint(d, controls):
    """Of a tokenizer's description, and of the words that are tokens for others and text here."""
    ...

def _copy(self, way):
    """The copy for one place in a row, and the ids that it numbers anew."""
    ...

def _encoded(self, texts, way):
    """Token ids of each text, at the start of a row, behind a control token, or inside a text."""
    ...

_KNOWN: Any

def plain_text(tokenizer) -> PlainText | None:
    """The copies of a tokenizer, made once and again where words were added to it.

Parameters:
    tokenizer: any

Returns: None: it is not a fast one"""
    ...

def encode_plain(tokenizer, texts: list, way: str='start') -> list:
    """Token ids of each text, read as plain text: no control token is added and none is recognised.

Parameters:
    tokenizer: any
    texts: strings
    way: where they are in a row: at its "start", "behind" or "joined" to a control token, "inside" a text

Returns: of lists of ids"""
    ...

def cut_at_controls(tokenizer, text: str) -> list:
    """A text cut at the control tokens in it: pieces of text (`str`) and token ids (`int`), in order.

Parameters:
    tokenizer: any
    text: of a template

Returns: of strings and ids"""
    ...

def _cut_by_words(controls, text): ...
