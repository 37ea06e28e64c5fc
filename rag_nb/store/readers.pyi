"""One set of readers for documents, questions and files of either: what published sets, spreadsheets, web pages, PDF and word processors write, each record checked and nothing lost in silence."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from dataclasses import field
from html.parser import HTMLParser
import io
from typing import Any
from rag_nb.core.passages import Passages

__all__ = ['SECTIONS', 'RECORDS', 'TEXTS', 'READERS', 'missing', 'plain_text', 'Form', 'OtherForm', 'document_form', 'as_record', 'most_bytes', 'too_large', 'open_bytes', 'open_text', 'ending', 'TableRow', 'read_table', 'read_parquet', 'first_heading', 'read_file', 'left_out_line', 'listed_files', 'rows_of_table', 'folder_of', 'Documents', 'read_documents', 'can_iterate', 'passages_of']

def missing(value) -> bool:
    """Is this a gap: None, or pandas' and NumPy's words for it?"""
    ...

def plain_text(value) -> str:
    """A name or a number as text: a gap is empty, a whole number has no point."""
    ...

@dataclass
class Form:
    """What a record has to have: the column `key`, under one of the names `known`, or under one that `columns` renames.

Parameters:
    key: "text" or "question"
    known: Names of that column in published sets, the best first
    also: Pairs of a name and of another column that has to stand beside it to make it known
    columns: Renames, from a source's names to ours
    reads: The columns of a Parquet file that are wanted; all but vectors where None"""
    key: str
    known: tuple
    also: tuple = ...
    columns: dict = ...
    reads: tuple | None = ...
    unseen: Any = field(init=False)

    def __post_init__(self): ...

    def rename(self, raw):
        """The record with the columns under our names; what a renamed column replaces is dropped."""
        ...

    def find(self, names):
        """The name among `names` under which the key column stands, or None."""
        ...

    def check(self, names, path, place='column', rest='in its header, which has'):
        """OtherForm where a file's columns are not those of such records."""
        ...

class OtherForm(ValueError):
    """A file without the column that is looked for."""

_TEXTS: Any

_TEXTS_BESIDE: Any

_IDS: Any

_TITLES: Any

def document_form(columns=None): ...

def _take(record, names):
    """The first value under one of these names that is no gap, taken out of the record."""
    ...

def _of_object(o):
    """The record of another library's document, or None."""
    ...

def _with_metadata(record):
    """The record with the fields of its dict of metadata beside its own, which win."""
    ...

def _text_of(record, name):
    """The text under this name, taken out of the record; a title on its first line as FlashRAG writes it becomes one."""
    ...

def as_record(raw, form, what):
    """A record as a dict under our names; TypeError begins with `what` where it is none."""
    ...

def _document(raw, number, where, form=None):
    """A document with `id`, `title`, `text` as strings; `where` names it in the error when it is none."""
    ...

def _check_text(doc, name):
    """A document has words, and all its characters are whole."""
    ...

def most_bytes(path): ...

def too_large(path): ...

class _Unpacked(io.RawIOBase):
    """The bytes of a .gz file, as far as they stay in proportion."""
    path: Any
    file: Any
    left: Any

    def __init__(self, path) -> None: ...

    def readable(self): ...

    def readinto(self, b): ...

    def close(self): ...

def open_bytes(path):
    """A file's bytes, unpacked where its name ends in .gz."""
    ...

def open_text(path, newline=None, errors='strict'):
    """A file's text; `utf-8-sig` drops the mark that some editors put in front."""
    ...

def ending(path):
    """What a file's name says about its kind: its last ending in small letters, with the one before it where that is .gz."""
    ...

def _stem(path): ...

def _json_lines(path, form): ...

def _json(path, form): ...

def _nested(articles): ...

def _squad(articles):
    """The questions of SQuAD's own file, each with the paragraph it hangs below."""
    ...

def _cells(file, path, delimiter, first, quoting):
    """Pairs of the line on which a row begins, and its cells."""
    ...

def _unclosed(path, line, error):
    """What to say of a row that does not end."""
    ...

def _check_swallowed(path, line, cells, header, delimiter):
    """Does a field look as if it held the rows that come after it?"""
    ...

def _layout(path, f, form):
    """Delimiter, quoting, header (None: in the file), and the file from its first line on, with that line's number."""
    ...

def _delimiter(header, usual, form):
    """What parts the fields: what is usual for the file, or what makes a header with the column that is looked for."""
    ...

class TableRow(dict):
    """A row whose cells are all texts, lists and numbers included."""

def read_table(path, form, lenient=False):
    """Records of a CSV or TSV file; `lenient` lets bytes that are no text and fields too many stand in a row."""
    ...

def _header(path, names, form):
    """The names of the columns."""
    ...

def _in_proportion(path, file, columns):
    """The rows of some columns in batches, as many bytes as `most_bytes` allows."""
    ...

def _written_out(column):
    """Bytes of a column's values, each counted as often as it is there."""
    ...

def _is_vector(type):
    """Lists of numbers, and bytes."""
    ...

def read_parquet(path, form): ...

_FRONT: Any

def _front_matter(text):
    """The fields of a text's front matter, and the text behind it."""
    ...

def _simple(block):
    """Lines `key: value` of a block that is not valid YAML or TOML."""
    ...

def _toml(block): ...

_ATX: Any

_FENCE: Any

_NO_PARAGRAPH: Any

def first_heading(text):
    """The first heading of a Markdown text that does not stand in a fence; None where there is none."""
    ...

def _markdown(path, form): ...

def _plain(path, form): ...

def _whole(path): ...

_RST_RULE: Any

def _rst(path, form):
    """The title of reStructuredText is the first line that is underlined in full."""
    ...

_BLOCKS: Any

_UNSEEN: set

class _Page(HTMLParser):
    """Collects the text of a page, its title, and where headings stand."""
    parts: list
    size: int
    title: str
    heads: list
    inside: list
    pre: Any

    def __init__(self) -> None: ...

    def put(self, text): ...

    def line(self): ...

    def handle_starttag(self, tag, attrs): ...

    def handle_endtag(self, tag): ...

    def handle_data(self, data): ...

def _html(path, form): ...

SECTIONS: str

def _decoded(path):
    """A page's text: UTF-8, or in the encoding that it declares."""
    ...

def _notebook(path, form): ...

def _extra(module, path):
    """A module of the extra `files`, or a plain error."""
    ...

def _joined(path, parts):
    """Text and sections of (text, fields) pairs, in proportion to the file."""
    ...

def _pdf(path, form): ...

def _docx(path, form): ...

def _blocks(file):
    """Paragraphs and rows of tables as (text, fields), with the heading that each stands under."""
    ...

RECORDS: dict

TEXTS: dict

READERS: dict

def read_file(path, form, readers=..., what='a folder of them'):
    """Pairs of where a record stands, and the raw record or what is wrong with it."""
    ...

def _files_in(folder):
    """The plain files below a folder, sorted."""
    ...

def _is_link(path): ...

def _read_files(paths, base, form, left_out):
    """The records of several files, under ids relative to `base`; what is no document at all is put into `left_out`."""
    ...

_RECORD_ENDINGS: set

def _named(raw, rel, n, path):
    """A raw record with an id that is unique below the folder."""
    ...

_ADVICE: dict

def left_out_line(left_out):
    """One line about the files that were left out, by kind and number."""
    ...

def _is_file_name(s):
    """Is this string the name of a file that can be read?"""
    ...

def listed_files(source):
    """The paths in a list of paths; None where it is something else."""
    ...

def rows_of_table(source):
    """The rows of a pandas, polars or Arrow table as dicts, a named index of pandas among the columns; anything else as it is."""
    ...

def folder_of(source):
    """The folder to which the ids of files are relative; None where the source is no file."""
    ...

def _several_files(paths, form, left_out, base=None):
    """The records of files and folders in a list, under ids relative to `base`, or to the folder that they have in common."""
    ...

class Documents:
    """Documents one by one, each checked; what was left out on the way is listed in `skipped`."""
    skipped: list
    _docs: Any

    def __init__(self, pairs, form, source, first_id=0, errors='raise', left_out=...) -> None: ...

    def __iter__(self): ...

    def __next__(self): ...

def _checked(pairs, form, source, first_id, errors, left_out, skipped): ...

def _new_document(raw, number, where, form, seen):
    """One document that was not there yet, checked."""
    ...

def _finish(n, form, source, left_out, skipped):
    """What there is to say in the end."""
    ...

def read_documents(source, first_id: int=0, columns: dict | None=None, errors: str='raise', base=None) -> Documents:
    """Documents one by one, each checked; ValueError names the first that has no text, an id for the second time, or cannot be read.

Parameters:
    source: Dicts, strings, documents of other libraries, a table, a `datasets.Dataset`, a path of a file or folder, or a list of paths
    first_id: Documents without an id get their number, counted from here
    columns: Renames columns, as in {"contents": "text"}
    errors: Or "skip": leave out what cannot be read, and list it in `skipped`
    base: The folder to which the ids of files are relative; None: the one that was given

Returns: of dicts with `id`, `title`, `text` and whatever else the document had"""
    ...

def can_iterate(source):
    """Can it be gone through, by whichever of Python's ways? NumPy's numbers say yes and cannot."""
    ...

def _of_list(source, form, left_out, base=None):
    """Pairs of place and raw document from whatever can be iterated over."""
    ...

def passages_of(
    docs, n_words: int=100, overlap: int=0, first_id: int=0, columns: dict | None=None, errors: str='raise', base=None
) -> Passages:
    """Passages of the documents, in order, with their titles, places and other fields.

Parameters:
    docs: Whatever `read_documents` takes
    n_words: Words in a passage; None keeps each document whole, as one passage with the document's id
    overlap: Words shared with the passage before
    first_id: Documents without an id get their number, counted from here
    columns: As for `read_documents`
    errors: As for `read_documents`; what was skipped is listed in `skipped`
    base: As for `read_documents`"""
    ...

def _metas(doc, spans):
    """The meta of each passage of a document: JSON, or None."""
    ...

def _plain_fields(fields):
    """Texts, finite numbers, truth values, dates (as ISO texts) and short lists of these; vectors, bytes and the like are left out."""
    ...

def _plain_value(v): ...

def _plain_list(values, most=256):
    """The items of a list of tags, names or years; None for a list of other things, of nothing, or of floats, which is a vector."""
    ...
