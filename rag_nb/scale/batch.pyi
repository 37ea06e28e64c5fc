"""`rag.ask_file` answers a file of questions, ten or ten million: in bounded memory, one line of JSON for each, and a run that was stopped goes on where it stood."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
import os
from typing import Any
from rag_nb.core.answer import Rag

__all__ = ['LONGEST', 'count_questions', 'Row', 'check_output', 'ask_file']

LONGEST: Any

def _lines(file):
    """The lines of a binary file, each as text, or as the error that stands in its place."""
    ...

def _parsed(line):
    """The value of a line of JSON, or the error that stands in its place."""
    ...

def _read_lines(file, kind=None):
    """Raw questions from a binary file of lines: `kind` is 'json', 'text', or None to see by the first line."""
    ...

def _read_binary(path, kind): ...

def _records(path, form):
    """Raw questions of a table, a JSON or a Parquet file, by the readers of questions and documents."""
    ...

_LINES: dict

_READERS: Any

def _raw(source, form):
    """Raw questions from a path, a binary file that is open, or anything that can be iterated over."""
    ...

def count_questions(source, columns=None) -> int | None:
    """How many questions there are, which is also whether they can be read at all.

Parameters:
    source: as for `Rag.ask_file`
    columns: likewise

Returns: None where it can be read only once"""
    ...

@dataclass
class Row:
    """A question of a file, or what is wrong with it.

Parameters:
    row: its place, from 0
    id: its own, or its place
    question: None where there is no text
    error: why it is not asked"""
    row: int
    id: str
    question: str | None
    error: str | None

def _row(number, raw, form=None):
    """The row that a raw question makes."""
    ...

def _rows(source, form=None): ...

def _fingerprint(*models):
    """A short hash of some numbers of every weight, and of its type."""
    ...

def _knowledge(retriever):
    """A short hash of what is searched: the checksums of an index folder's files, or some of the passages."""
    ...

_LAYOUT: Any

def _settings(rag, kind, n_docs, gc, decoding):
    """What the answers of a run depend on."""
    ...

def _last_line_end(file):
    """Where the last whole line of a binary file ends: 0 if there is none."""
    ...

def check_output(path: str | os.PathLike, overwrite: bool=False):
    """Said at once if answers cannot be written there, or if something else is there already.

Parameters:
    path: where the answers are to be written
    overwrite: whether a file may be replaced"""
    ...

def _beside(path): ...

def _described(path):
    """What the file beside the answers says: settings and size of a batch."""
    ...

def _changes(before, now):
    """The settings that differ, in words."""
    ...

class _Out:
    """A file of answers, open and locked, that grows by whole lines."""
    path: Any
    file: Any
    end: Any
    known: Any
    reader: Any

    def __init__(self, path, overwrite) -> None: ...

    def begin(self, settings, batch_size, usual):
        """The size of a batch; ValueError where the file belongs to other settings. A new file is described beside it."""
        ...

    def _empty(self):
        """What is known of a file of answers without any: a run that was killed before its first."""
        ...

    def there(self, row):
        """The line of a row, if the file has it; ValueError where that line belongs to another question."""
        ...

    def write(self, line): ...

    def close(self):
        """Cut off what an interruption left behind the last whole line."""
        ...

    def unused(self):
        """Whether lines are left that belong to no question."""
        ...

def _named(row, short):
    """What a line says first: place, id and question, of which an error quotes the beginning only."""
    ...

class _Stream:
    """A text stream that answers are written to."""
    stream: Any
    path: Any

    def __init__(self, stream) -> None: ...

    def begin(self, settings, batch_size, usual): ...

    def there(self, row): ...

    def unused(self): ...

    def write(self, line): ...

    def close(self): ...

def _answers_or_errors(ask, questions):
    """For each question its answer, or the error that it raised."""
    ...

def _lines_of(batch, ask):
    """The lines of a batch of rows, as plain values."""
    ...

def _line(row, given):
    """The line of a row: its place, its id, and the answer or what is wrong."""
    ...

def ask_file(
    rag: Rag, questions, output, overwrite: bool=False, kind: str | None=None, n_docs: int | None=None, decoding: str='thorough',
    batch_size: int | None=None, progress: bool=True, decoder: str='auto', where=None, min_score: float | None=None,
    columns: dict | None=None, **generation
) -> dict:
    """Answer a file of questions into a file, in bounded memory; a run that was stopped goes on where it stood.

Parameters:
    questions: a .txt, .jsonl, .csv, .tsv, .parquet or .json file, a binary file that is open, or an iterable of strings or dicts with `question` and perhaps `id`
    output: the file to write, one JSON object a line; or a text stream
    overwrite: begin again, where the file is there already
    kind: as for `ask`
    n_docs: as for `ask`
    decoding: as for `ask`
    batch_size: questions at a time; by the device, or as it was, where None
    progress: show a progress bar
    decoder: as for `ask`
    where: as for `ask`
    min_score: as for `ask`
    columns: renames columns of the questions, as in {"frage": "question"}
    generation: as for `ask`: `num_beams`, `max_new_tokens`, …

Returns: how many `questions`, `answered`, `errors`, and of all these how many were there `before`"""
    ...

@contextmanager
def _open_out(output, overwrite):
    """The file or stream for the answers, closed in the end whatever happens."""
    ...

def _check_places(questions, output):
    """Questions and answers are two files."""
    ...

def _run(out, rows, size, ask, tally, total, progress):
    """Batch after batch, each line written as soon as it is known."""
    ...

def _count(tally, line, before=0): ...

def _stopped(tally, total, path):
    """What to say after an interruption."""
    ...
