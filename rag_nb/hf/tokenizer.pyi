"""A question is read twice, by two vocabularies: once to find documents, once, beside each document, to answer."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
import os
import torch
from transformers import BatchEncoding
from typing import Any
from rag_nb.core.config import RagConfig
from rag_nb.hf.tokenizing import called as called

__all__ = ['HOLE', 'PLAIN_TEMPLATE', 'FOLDERS', 'INSTRUCTION', 'context_template', 'fill', 'pad_rows', 'pad_id_of', 'assemble_contexts', 'RagTokenizer', 'chat_template_of']

HOLE: Any

PLAIN_TEMPLATE: str

def context_template(config: RagConfig, prefix: str | None=None) -> str:
    """The layout of a context: the configured template, or the published `prefix + title / text // question`.

Parameters:
    config: where `context_template`, `title_sep` and `doc_sep` stand
    prefix: put before every context, as T5's tasks want it; `config.prefix` where None, or the generator's

Returns: a string with the holes {title}, {text} and {question}"""
    ...

def _literal(text): ...

def fill(template: str, **values) -> str:
    """The template with its holes filled, each once, and its double braces made single; braces inside the values stay as they are.

Parameters:
    template: with holes
    values: what goes into them; a missing one is empty"""
    ...

_MARKS: Any

def _pieces(tokenizer, template):
    """The template cut at the tokenizer's control tokens: pieces of text (`str`) and token ids (`int`), in order."""
    ...

def _holes(text):
    """A text with marks as a template."""
    ...

def _beside(tokenizer):
    """The ids of the control tokens that take white space along, on their left and on their right, and of those that are found in a normalised text."""
    ...

def _frame(tokenizer):
    """What this tokenizer puts before and after a text: two lists of ids."""
    ...

def _stretches(pieces):
    """The pieces in three stretches: what stays before the document, what may shrink, what stays behind it."""
    ...

def _between(pieces, start, stop):
    """The pieces from one place (piece, character) to another."""
    ...

def _cut(before, shrinks, behind, room, question):
    """The token ids of three stretches in at most `room` tokens, shortening only the second; an error where the others are too long."""
    ...

@dataclass
class _Layout:
    """How one generator's contexts are put together: the cut template, the frame around it, and the room there is.

Parameters:
    tidy: collapse double spaces and strip the title's quotes, as the published code does"""
    tokenizer: object
    pieces: list
    frame: tuple
    room: int
    tidy: bool

    @classmethod
    def of(cls, tokenizer, config, prefix=None):
        """The layout that `config` asks for."""
        ...

    def text(self, piece, passage, question):
        """A piece of the template filled with a passage and a question."""
        ...

    def ids(self, passages, questions, heads=None):
        """Token ids of each passage's context (list of lists), cut to the room there is; from stored heads where there are any."""
        ...

    def _from_text(self, passages, questions): ...

    def _coded(self, filled, cut=False):
        """Token ids of each (pieces, passage, question), all texts of a kind in one call of the tokenizer; `cut`: they are stretches, three a context."""
        ...

    def parted(self):
        """The parted template, or None where it, or the tokenizer, cannot be taken apart."""
        ...

    def heads(self, passages):
        """Token ids of all that stands before the question, for each passage, or None where they would not be a part of the whole."""
        ...

    @property
    def key(self):
        """What makes heads what they are: the tokenizer, and the template up to the question."""
        ...

    def _from_heads(self, heads, questions):
        """Rows of ids made of stored heads; None for those that have to be made from text."""
        ...

def _steady(p):
    """Whether the splitting of a text at one place depends only on what follows the piece before."""
    ...

def _facts(tokenizer):
    """How a fast tokenizer works: its fingerprint, whether it can be taken apart, whether each byte is a token, and which words it knows beside its vocabulary."""
    ...

def _breaks(tokenizer, text):
    """The places in a text at which a piece begins."""
    ...

@dataclass
class _Parted:
    """A template's piece that holds the document, in two: what stands before the question, and the rest; and the end of the first, which is the template's own."""
    at: int
    head: str
    tail: str
    seam: str

def pad_rows(rows: list, pad_id: int, left: bool=False, width: int=0) -> tuple:
    """Rows of token ids as one tensor, with the mask that says which of them are real.

Parameters:
    rows: lists of token ids
    pad_id: what fills the gaps
    left: pad on the left
    width: at least so many columns

Returns: ids (n, S) int64 and mask (n, S) int64"""
    ...

def pad_id_of(tokenizer):
    """The tokenizer's padding id, or its end token where it has none."""
    ...

def assemble_contexts(tokenizer, config: RagConfig, questions: list, passages: list, prefix: str | None=None, stored=None) -> BatchEncoding:
    """One context for every question and document, cut in the document and padded: left for decoder-only generators.

Parameters:
    tokenizer: the generator's tokenizer
    config: template and `max_combined_length`
    questions: B strings, as the user wrote them
    passages: B lists of K passages (dict with title and text, or None where none was found)
    prefix: as for `context_template`
    stored: asked with a layout's key, gives for all B·K passages the heads that were stored, or None

Returns: context_input_ids and context_attention_mask, (B·K, S)"""
    ...

class RagTokenizer:
    """The question encoder's tokenizer and the generator's, as one."""
    question_encoder: Any
    generator: Any
    config: RagConfig | None
    current_tokenizer: Any

    def __init__(self, question_encoder, generator, config: RagConfig | None=None) -> None:
        """Parameters:
    question_encoder: tokenizer of the question encoder
    generator: tokenizer of the generator
    config: says what kind of generator it is, and its `answer_prefix`; guessed from the tokenizer where None"""
        ...

    def __call__(self, text=None, *args, text_target=None, **kwargs):
        """Tokenise questions (the question encoder's way) and, with `text_target`, answers as `labels` (the generator's way)."""
        ...

    def decode(self, *args, **kwargs):
        """Text of one row of the generator's token ids."""
        ...

    def batch_decode(self, *args, **kwargs):
        """Texts of many rows of the generator's token ids."""
        ...

    def _switch_to_input_mode(self): ...

    def _switch_to_target_mode(self): ...

    def __repr__(self): ...

    def _rows(self, answers, config=None):
        """Token ids of each answer that follows a context, with its end token; None for a generator whose tokenizer frames answers itself."""
        ...

    def _answers(self, answers, padding=False, truncation=None, max_length=None, return_tensors=None, empty=None, **kwargs):
        """Answers as the generator's tokenizer would give them: `input_ids` and `attention_mask`; too long ones keep their end token."""
        ...

    def prepare_seq2seq_batch(
        self, src_texts: list, tgt_texts: list | None=None, max_length: int | None=None, max_target_length: int | None=None,
        padding: str | bool='longest', return_tensors: str | None=None, truncation: bool=True, **kwargs
    ) -> BatchEncoding:
        """Questions, and answers as labels, ready for a RAG model.

Parameters:
    src_texts: questions
    tgt_texts: answers
    max_length: tokens of a question
    max_target_length: tokens of an answer; as for questions where None
    padding: as for any tokenizer
    return_tensors: "pt", "np" or None

Returns: input_ids, attention_mask and, with answers, labels"""
        ...

    @contextmanager
    def as_target_tokenizer(self):
        """A context in which the tokenizer is the generator's, as older code has it."""
        ...

    def save_pretrained(self, save_directory: str | os.PathLike):
        """Write both tokenizers into their subfolders.

Parameters:
    save_directory: made where it does not exist"""
        ...

    def _write(self, folder): ...

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | os.PathLike, config: RagConfig | None=None, **kwargs) -> RagTokenizer:
        """Both tokenizers of a RAG checkpoint.

Parameters:
    pretrained_model_name_or_path: folder or hub name of a RAG checkpoint
    config: read from the same place where None
    kwargs: for both tokenizers"""
        ...

    def targets(self, answers: list, config: RagConfig | None=None) -> torch.Tensor:
        """Answers as labels for the generator, each ending in its end token.

Parameters:
    answers: B strings
    config: which kind of generator, `answer_prefix`; the tokenizer's own where None

Returns: (B, T) int64, −100 past the end"""
        ...

def _continued(tokenizer, template, answers):
    """Token ids of each answer, as they are behind the end of a template."""
    ...

FOLDERS: Any

INSTRUCTION: str

def chat_template_of(tokenizer, instruction: str=..., system: str | None=None, **template) -> str | None:
    """The model's own chat format around a document and a question, ending where the assistant begins to speak.

Parameters:
    tokenizer: of an instruction-tuned model
    instruction: what the user says, with the holes {title}, {text} and {question}
    system: what the system says before
    template: for the template; `enable_thinking` is False unless given

Returns: None where the tokenizer has no chat template"""
    ...

def _lost(made, asked, system):
    """What a chat template left out of the messages; empty where it has all of it."""
    ...

def _refused(messages, why, system):
    """The sentence for a chat template that will not do, with the way out."""
    ...
