"""A set of questions, each with every answer that counts as right, and the collator that turns them into batches for both kinds of generator."""

# Written by tools/stubs.py: do not edit.

from transformers import BatchEncoding
from typing import Any
from rag_nb.core.config import RagConfig
from rag_nb.hf.tokenizer import RagTokenizer

__all__ = ['question_form', 'question_id', 'known_question', 'Questions', 'read_questions', 'RagCollator']

def _references(value):
    """The right answers in any form that data sets use, as a list of strings; None where this is none of them."""
    ...

def _cell(text):
    """A cell of a table: the list or dict that is written in it, or the text itself."""
    ...

def _glued(tree, text):
    """Are two strings written side by side in this list, which Python would join?"""
    ...

_QUESTION_IDS: Any

_ANSWERS: Any

_READ: Any

def question_form(columns=None): ...

def question_id(raw):
    """The question's own id as text, or nothing."""
    ...

def known_question(raw, form=None) -> dict:
    """A question's record with our columns, whatever published form it has.

Parameters:
    raw: a dict, or a row of a table
    form: with the user's own names of columns"""
    ...

def _published(answers):
    """Answers of PopQA, written as text, and of TriviaQA's own file, with capitals."""
    ...

def _boolq(q):
    """BoolQ's truth values are yes and no, and its passage is the context."""
    ...

def _dicts(value): ...

def _kilt(q):
    """KILT's outputs: answers, and where in Wikipedia they come from."""
    ...

def _dpr(q):
    """The passages that DPR's training files call positive."""
    ...

def _hotpot(q):
    """HotpotQA's articles, as published or as `datasets` has them; those with a supporting fact are right."""
    ...

def _marco(q):
    """MS MARCO's passages; the selected ones are right, and its words for no answer are none."""
    ...

def _question(raw, number, where, form=None):
    """One question with `id`, `question`, `answers`, `document_ids`, `contexts`; `where` names it in the error when it is none."""
    ...

def _answers(raw, name):
    """The references under `answers` or `answer`; none at all is an empty list."""
    ...

def _several(raw, one, many):
    """What stands under the plural or the singular name, as a list."""
    ...

def _ids(raw): ...

def _contexts(raw):
    """The documents that the set gives with a question: dicts of title and text, perhaps `id`, and `right` where it says which of them hold the answer."""
    ...

_FILES: dict

def _unpacked(row):
    """A table's row with the lists that are written in its cells; a list that cannot be read becomes one that is refused by name."""
    ...

_COLUMNS: Any

class Questions:
    """A sequence of questions with their right answers, in columns."""
    columns: dict

    def __init__(self, columns: dict) -> None:
        """Parameters:
    columns: lists of equal length: `id`, `question`, `answers`, `document_ids`, `contexts`, as `read_questions` makes them"""
        ...

    def __len__(self): ...

    def column(self, name): ...

    def __getitem__(self, key):
        """One question as a dict, or a set of them for a slice, a mask, or a list of numbers."""
        ...

    def select(self, rows): ...

    def __repr__(self): ...

    def documents(self) -> list:
        """The documents that came with the questions, each once, under the ids by which the questions name them."""
        ...

    def shuffle(self, seed: int=0) -> Questions:
        """The same questions in an order that depends on the seed alone."""
        ...

    def save(self, path):
        """Write a Parquet file, which `read_questions` reads back.

Parameters:
    path: the Parquet file to write"""
        ...

def _short(text, n):
    """One line of at most n characters, without control characters."""
    ...

def read_questions(
    source, limit: int | None=None, skip_unanswered: bool=False, columns: dict | None=None, errors: str='raise',
    unanswerable: bool=False
) -> Questions:
    """Questions with their answers, each checked; ValueError names the first that is none, an id for the second time, or what cannot be read.

Parameters:
    source: dicts, a `datasets.Dataset` (streamed or not), a table, a path or a list of paths: .jsonl .ndjson .json .csv .tsv .parquet, packed as .gz or not
    limit: the first so many only
    skip_unanswered: leave out questions without an answer, instead of naming the first
    columns: renames columns, as in {"frage": "question"}
    errors: or "skip": leave out what is no question, and list it in `skipped`
    unanswerable: keep questions without an answer, as SQuAD 2.0 has them: their answers are an empty list"""
    ...

def _new_question(raw, number, where, form, seen, skip_unanswered, unanswerable=False):
    """A question that was not there yet, or None where it has no answer and may be passed over."""
    ...

def _finished(rows, skipped, form, limit):
    """The set, and a word about what was skipped."""
    ...

def _pairs(source, form):
    """Pairs of where a question stands and the raw question, whatever the source is."""
    ...

def _numbered(questions):
    """The same questions, with ids for the documents they bring along where they name none; of several, those are a question's own that are right."""
    ...

class RagCollator:
    """Turns questions into a batch for training: what the question encoder reads, the questions as written, and the labels."""
    tokenizer: RagTokenizer
    config: RagConfig
    choose: str
    seed: int
    epoch: Any
    max_question_length: int | None
    max_answer_length: int | None
    keep: Any

    def __init__(
        self, tokenizer: RagTokenizer, config: RagConfig, choose: str='first', seed: int=0, max_question_length: int | None=None,
        max_answer_length: int | None=None, keep: tuple=...
    ) -> None:
        '''Parameters:
    tokenizer: both tokenizers
    config: the model's: how questions and answers are written
    choose: which of several answers: "first", or "random" by the seed
    seed: of the random choice
    max_question_length: tokens for the question encoder; as many as it reads where None
    max_answer_length: tokens of an answer with its end token; all where None
    keep: columns of the questions to hand on as lists, such as "document_ids"'''
        ...

    def set_epoch(self, epoch):
        """Draw other answers from now on."""
        ...

    def answer_of(self, example: dict) -> str:
        """The reference that is learnt: the first, or one drawn by seed, epoch and question.

Parameters:
    example: with `question` and `answers`"""
        ...

    def question_inputs(self, questions: list) -> BatchEncoding:
        """The questions in the question encoder's tokens, written and cut as that encoder wants them.

Parameters:
    questions: B strings

Returns: input_ids and attention_mask (B, S), token_type_ids where the tokenizer makes them"""
        ...

    def __call__(self, examples: list) -> dict:
        """One batch.

Parameters:
    examples: B dicts with `question` and `answers` in any form that `read_questions` takes

Returns: input_ids, attention_mask, labels: tensors; questions: list of strings"""
        ...

def _cut_labels(labels, limit):
    """Labels (B, T) cut to `limit` tokens, each row still ending in its own last token."""
    ...

def _kept(example, row, name):
    """A column of an example, as it was read or as it stands there."""
    ...
