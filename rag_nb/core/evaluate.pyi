"""Exact match and F1, whether the right document was found, whether the posterior can be believed, and what retrieval is worth: with intervals, in one table."""

# Written by tools/stubs.py: do not edit.

from dataclasses import dataclass
from typing import Any
from rag_nb.core.answer import Rag

__all__ = ['BINS', 'WAYS', 'DEPTH', 'GROUP', 'normalize_answer', 'exact_match', 'f1_score', 'holds_answer', 'measure', 'Evaluation', 'evaluate']

_NO_PUNCTUATION: Any

_ARTICLES: Any

def normalize_answer(text: str, normalize: str='squad') -> str:
    """The normal form of an answer. SQuAD's: lower case, no ASCII punctuation, no English articles, single spaces.

Parameters:
    normalize: "squad", the form of published figures; or "unicode", for any language"""
    ...

_PUNCTUATION: Any

def _unicode_form(text):
    """Folded, in compatible characters, without punctuation and English articles; words, and characters of scripts without spaces, parted by a space."""
    ...

def exact_match(prediction: str, answers: list, normalize: str='squad') -> float:
    """Does the prediction equal any reference, in their normal form? Without references only an empty prediction is right (SQuAD 2.0).

Parameters:
    prediction: what was answered
    answers: the references
    normalize: as for `normalize_answer`

Returns: 1 or 0"""
    ...

def f1_score(prediction: str, answers: list, normalize: str='squad') -> float:
    """Overlap of the words of the prediction with the best of the references, as SQuAD counts it; without references 1 for an empty prediction.

Parameters:
    prediction: what was answered
    answers: the references
    normalize: as for `normalize_answer`

Returns: between 0 and 1"""
    ...

def _f1(said, answer): ...

def _words(text): ...

def holds_answer(text: str, answers: list) -> bool:
    """Does any of the references stand in the text, as whole words in SQuAD's normal form or in the one for all languages?

Parameters:
    text: of a passage
    answers: the references"""
    ...

def _is_right(passage, document_ids): ...

def _rank(flags):
    """The place of the first True, from 1; None where there is none."""
    ...

BINS: int

def _binned(beliefs, held):
    """Count, sum of beliefs and number of hits in each of ten bins, (3, 10), for one question's documents."""
    ...

def _ece(tables):
    """Expected calibration error, (...), from summed tables (..., 3, 10)."""
    ...

def _draws(n, times, seed):
    """How often each of n questions is drawn in each of `times` samples of n with replacement, (times, n)."""
    ...

def _interval(values):
    """The middle 95 per cent."""
    ...

def _mean(values, draws):
    """The mean of a column and its interval; NaN marks questions that do not count, and None comes back where none does."""
    ...

WAYS: dict

DEPTH: int

def _hits_for(way, hits, n_docs):
    """What is read on the way of this name: (B, K), (B, 1), or an empty passage."""
    ...

def _found(rag, questions, depth, where=None):
    """Hits (B, depth) of one search, on the CPU, without vectors; their scores are the exact ones that the model would use."""
    ...

GROUP: int

def _size_of_batch(rag, n_docs):
    """Questions at a time: as many as make 640 contexts on a GPU, or 32 without one."""
    ...

def _length(passages, question): ...

def _ask_halving(rag, questions, hits, size, **settings):
    """Answers to a list of questions; batches that do not fit into the memory of the GPU are halved."""
    ...

def _scored(answer, references, normalize='squad'):
    """What is right about an answer."""
    ...

def _record(question, hits, n_read):
    """What is known of a question before it is answered: where the right document and the first that holds an answer stand."""
    ...

def _beliefs(answer, n_read):
    """Prior, and posterior after the last token, of the documents that were found."""
    ...

def _same_as(way, way_0, n_docs):
    """With one document, both sums are that document's answer, and no other way has to be asked."""
    ...

def _ask_batch(rag, questions, hits, ways, n_docs, size, searching, settings, normalize='squad'):
    """Records of one batch: the first way is the main one, the others stand beside it."""
    ...

def _rows(records):
    """The measured columns of the main way, by name; NaN where a question does not count."""
    ...

def _debiased(values, measured):
    """The interval of a measure that sampling can only raise: moved so that its mean is what was measured, and cut at nought."""
    ...

def _calibration(records, draws):
    """ECE over all documents read and over the most believed, with intervals, and the reliability table."""
    ...

def _support_of(records, draws):
    """Measures of support, where some questions are unanswerable and some are not."""
    ...

def measure(records: list, samples: int=1000, seed: int=0) -> dict:
    """All measures of a list of records, each with the middle 95 per cent of a bootstrap over questions.

Parameters:
    records: of `evaluate`: one dict a question
    samples: of the bootstrap
    seed: of the bootstrap

Returns: `em`, `f1`, `recall_at_1` … each with its interval under `…_ci`; `n`; `compare`; `reliability`"""
    ...

@dataclass(eq=False)
class Evaluation:
    """What came out: measures by name (`e.em`, `e.recall_at_5_ci`, `e.compare`), the records they are made of, and the settings.

Parameters:
    settings: model, index, kind, n_docs …
    predictions: one record a question
    measures: what `measure` gives"""
    settings: dict
    predictions: list = ...
    measures: dict = ...

    def __getattr__(self, name): ...

    def to_json(self): ...

    def head(self) -> str:
        """What was measured, in a line."""
        ...

    def tables(self) -> list:
        """Measures, ways to answer, and reliability, as texts."""
        ...

    def __repr__(self): ...

    def _repr_html_(self): ...

    def beliefs(self) -> tuple:
        """All (question, document) pairs that were read, as `plot_calibration` wants them."""
        ...

    def plot(self, ax=None):
        """The reliability of the posterior as a diagram.

Parameters:
    ax: where to draw; a new figure where None"""
        ...

def _resumed(path, settings):
    """Records that an earlier run left in the file, and the file, open for more."""
    ...

def _write(out, rows): ...

def _settings_of(rag, n_docs, ways, generation):
    """What a run depends on, in words and numbers."""
    ...

def _ways(rag, kind, compare):
    """The ways to answer, the main one first."""
    ...

def _groups(rag, questions, depth, where=None):
    """Groups of questions with their hits, longest first, and the seconds that the search took for each."""
    ...

def evaluate(
    rag: Rag, questions, n_docs: int | None=None, kind: str | None=None, compare: bool=True, limit: int | None=None,
    batch_size: int | None=None, predictions=None, samples: int=1000, seed: int=0, progress: bool=True, normalize: str='squad',
    where=None, min_score: float | None=None, columns: dict | None=None, **generation
) -> Evaluation:
    """Ask every question, and measure answers, retrieval and posterior; one search a question.

Parameters:
    questions: whatever `read_questions` takes
    n_docs: documents to read; the configuration's where None
    kind: "token", "sequence", "best_document" or "no_documents"; the model's own head where None
    compare: also measure the other ways to answer
    limit: the first so many questions only
    batch_size: questions at a time; by the device where None
    predictions: a JSON Lines file for the records; a run that was stopped goes on from it
    samples: of the bootstrap
    seed: of the bootstrap
    progress: show a progress bar
    normalize: the form in which answers are compared: SQuAD's, or "unicode" for any language
    where: only passages that fit, as for `rag.ask`
    min_score: only passages with this score at least
    columns: renames columns of the questions, as in {"frage": "question"}
    generation: for `rag.ask`: `num_beams`, `max_new_tokens` …"""
    ...

def _check_named(questions, passages):
    """A warning where the questions name documents and the index has none of them: recall would be 0 for want of a common name."""
    ...

def _left(questions, done):
    """The questions that have no record yet."""
    ...

def _left_by(where, retriever):
    """How many passages a filter leaves."""
    ...

def _run(rag, questions, ways, n_docs, size, out, progress, generation, normalize='squad', where=None):
    """Records of all questions, written as they come."""
    ...

_NAMES: dict

def _ci(ci): ...

def _documents(n): ...

def _way(way, n_docs): ...

def _gain(w):
    """How far another way's EM is from the main one's, with its interval; a star where that leaves out nought."""
    ...

def _aligned(head, rows):
    """Columns of texts: the first on the left, the rest on the right."""
    ...

_CSS: str
