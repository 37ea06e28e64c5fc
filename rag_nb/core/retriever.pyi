"""A passage encoder, an index and the passages: built from your documents in one call, kept in one folder, opened again anywhere."""

# Written by tools/stubs.py: do not edit.

from contextlib import contextmanager
import os
import torch
from transformers import BatchEncoding
from transformers import BitsAndBytesConfig as BitsAndBytesConfig
import transformers
from typing import Any
from rag_nb.core.config import RagConfig
from rag_nb.core.encoder import TextEncoder
from rag_nb.core.passages import Hits
from rag_nb.core.passages import Passages
from rag_nb.core.snapshot import Searched
from rag_nb.hf.tokenizer import called
from rag_nb.store.bm25 import BM25Index

__all__ = ['RagRetriever', 'index_named', 'encoder_of', 'encoder_record', 'config_for', 'cut_passages', 'check_count', 'question_list', 'check_question', 'CalledRetriever', 'as_retriever', 'AutoTokenizer', 'check_name', 'nothing_there']

_LENT: Any

class _Lendable:
    """An attribute that is the model's while a model asks, and the retriever's own otherwise."""
    name: Any

    def __set_name__(self, owner, name): ...

    def __set__(self, retriever, value): ...

    def __get__(self, retriever, owner=None): ...

class RagRetriever(Searched):
    """Finds the passages closest to a question's vector, and lays them out as contexts for a generator."""
    passages: Passages = ...
    question_encoder_tokenizer: Any
    generator_tokenizer: Any
    config: Any
    _encoder: Any
    device: Any
    skipped: list
    ctx_encoder_tokenizer: Any
    return_tokenized_docs: bool
    told: bool
    index: Any
    encoder_provenance: Any
    deleted: Any

    def __init__(
        self, config: RagConfig | None=None, question_encoder_tokenizer=None, generator_tokenizer=None, index=None,
        init_retrieval: bool=True, passages: Passages | None=None, encoder: TextEncoder | None=None
    ) -> None:
        """Parameters:
    config: how many documents, how contexts are laid out; names an index where none is given
    question_encoder_tokenizer: taken from the model where None
    generator_tokenizer: likewise
    index: an `Index`, one written for Transformers, or a `datasets.Dataset`
    init_retrieval: open the index now rather than at the first search
    passages: what the index's row numbers stand for; the index's own where None
    encoder: turned the passages into vectors; needed to add more"""
        ...

    @classmethod
    def default_encoder(cls, device=None, source='pip', trained=True):
        """The embedded encoder, on the CPU where `device` is None; where it comes from and `trained` as for `Rag.demo`."""
        ...

    @staticmethod
    def _build_index(config):
        """The index that a configuration names; published code overrides it."""
        ...

    def init_retrieval(self):
        """Open the index, where it is not open yet."""
        ...

    @property
    def reading(self):
        """how the documents were read: `n_words`, `overlap`, `columns`, `folder`; None: not known"""
        ...

    @property
    def n_docs(self):
        """"""
        ...

    @property
    def batch_size(self):
        """"""
        ...

    def __len__(self): ...

    def _there(self):
        """The index, or a plain error where there is none."""
        ...

    def __repr__(self): ...

    @classmethod
    def from_documents(
        cls, documents, encoder=None, path: str | os.PathLike | None=None, index_kind: str='exact', n_words: int=100, overlap: int=0,
        progress: bool=True, config: RagConfig | None=None, vector_dtype: str='float32', overwrite: bool=False, index_device: str='cpu',
        columns: dict | None=None, errors: str='raise', **index_params
    ) -> RagRetriever:
        """Read, split, embed and index documents; where `path` has an index of these documents by this encoder, it is opened.

Parameters:
    documents: list of dicts or strings, datasets.Dataset, a table, a file or folder of any kind that `read_documents` knows, or a list of files
    encoder: TextEncoder, its name or folder; the embedded one where None
    path: write an index folder here; in memory where None
    index_kind: or "hnsw", "ivfpq", a factory string of FAISS, …
    n_words: words a passage
    overlap: words that neighbouring passages share
    progress: show progress bars
    config: for the contexts; made from the encoder where None
    vector_dtype: of the vectors that are kept; "float16" takes half the room
    overwrite: replace an index that is in the folder
    index_device: where an exact index searches
    columns: renames columns of the documents, as in {"contents": "text"}
    errors: or "skip": leave out documents that cannot be read, and list them in `retriever.skipped`
    index_params: for the index, such as `nprobe`"""
        ...

    @property
    def encoder(self) -> TextEncoder:
        """The passage encoder, loaded by its record at first use."""
        ...

    def _found_again(self):
        """The encoder that made the vectors, loaded by its record; ValueError where it is not to be had."""
        ...

    def check_questions(self, encoder: TextEncoder, passage_encoder: dict | None=None) -> str | None:
        """How a question encoder belongs to the passages of this index; ValueError names both where it does not.

Parameters:
    encoder: a model's question encoder
    passage_encoder: the record of the passages that it was trained for

Returns: "same", "trained" or "pair"; None where the maker is not known"""
        ...

    def overridden(self) -> list:
        """Which of the published methods are another's than this library's; the models go through these."""
        ...

    @contextmanager
    def lent(self, **what):
        """For a while the retriever has what the model that asks has.

Parameters:
    what: `config`, `question_encoder_tokenizer`, `generator_tokenizer`, `input_ids`, …; None where there is none"""
        ...

    def _asked_by_itself(self):
        """Whether one of its own methods is asking, so that an override that calls `self.search` gets the plain search."""
        ...

    def search(
        self, vectors, n_docs: int | None=None, questions: list | None=None, lexical_weight: float | None=None, where=None,
        min_score: float | None=None
    ) -> Hits:
        """The K passages closest to each question vector, best first; by vectors and words where there are questions and a weight.

Parameters:
    vectors: (B, D) question vectors, tensor or array
    n_docs: K; the configuration's where None
    questions: B strings as written, where words are to be counted as well
    lexical_weight: how much they count; the configuration's where None
    where: only passages that fit: {"year": 2024, "team": ["a", "b"]}, or a function of a passage's fields (see `store.filters`)
    min_score: only passages with this score at least: inner product, and what words add to it

Returns: (B, K), with passages and vectors; places for which nothing is left are masked"""
        ...

    def search_ids(self, vectors, n_docs: int, questions: list | None=None, lexical_weight: float=0.0, exclude=None) -> Hits:
        """The search itself.

Parameters:
    vectors: (B, D) question vectors
    n_docs: K
    questions: B strings, for counting words
    lexical_weight: how much they count
    exclude: (N,) bool, the rows that must not be found; the deleted ones where None

Returns: (B, K), with vectors and without passages"""
        ...

    def find(self, questions: str | list, n_docs: int | None=None, where=None, min_score: float | None=None) -> Hits:
        """Search by text, with the retriever's own encoder (of a pair such as DPR, use the model: its question encoder is another one).

Parameters:
    questions: one question or a list
    n_docs: K
    where: as for `search`
    min_score: as for `search`"""
        ...

    def _filtered(self, vectors, n_docs, questions, weight, where, min_score):
        """The same search among the passages that fit."""
        ...

    def _by_batch(self, vectors, n_docs, questions, weight, exclude=None):
        """The search: whole, or in pieces of `retrieval_batch_size` where a model of the published kind asks."""
        ...

    @property
    def lexical(self) -> BM25Index:
        """The passages by their words, counted at first use and again after documents came or went."""
        ...

    def rescore(self, vectors: torch.Tensor, questions: list, ids: torch.Tensor, lexical_weight: float) -> Hits:
        """Scores of certain passages: inner products plus weighted BM25.

Parameters:
    vectors: (B, D) of the questions
    questions: B strings
    ids: (B, K) rows, −1 for nobody
    lexical_weight: what one unit of BM25 adds to an inner product

Returns: (B, K) in the order of `ids`, with vectors"""
        ...

    def _hybrid(self, vectors, n_docs, questions, weight, exclude=None):
        """The K passages with the highest sum of inner product and weighted BM25, by Fagin's threshold algorithm; without passages."""
        ...

    def contexts(
        self, questions: list, hits: Hits, prefix: str | None=None, config: RagConfig | None=None, tokenizer=None
    ) -> BatchEncoding:
        """One context for each question and document.

Parameters:
    questions: B strings
    hits: (B, K) with passages
    prefix: before every context
    config: the model's, which says how its contexts look; the retriever's own where None
    tokenizer: the generator's; the retriever's own where None

Returns: context_input_ids, context_attention_mask: (B·K, S)"""
        ...

    def _stored(self, hits):
        """What gives the tokens that the folder keeps of these passages; None where it keeps none."""
        ...

    def cut_contexts(self, questions: list, hits: Hits, mask: torch.Tensor, config: RagConfig, tokenizer) -> torch.Tensor:
        """Which contexts are shorter than their documents ask for.

Parameters:
    questions: B strings
    hits: (B, K) with passages
    mask: (B·K, S), of the contexts
    config: which says how contexts look
    tokenizer: the generator's

Returns: (B, K) bool"""
        ...

    def tokenise(self, tokenizer=None, config: RagConfig | None=None, prefix: str | None=None, progress: bool=True):
        """Keep in the index folder what a generator's tokenizer makes of each passage; passages added later are tokenised by another call.

Parameters:
    tokenizer: the generator's; the retriever's own where None
    config: the model's; the retriever's own where None
    prefix: before every context
    progress: show a progress bar"""
        ...

    def _doc_dicts(self, ids, vectors=None):
        """B dicts of columns for ids (B, K): all columns that the index, or the passages, have."""
        ...

    def retrieve(self, question_hidden_states, n_docs: int) -> tuple:
        """Search in the published form, `retrieval_batch_size` questions at a time; the dicts hold every column that there is.

Parameters:
    question_hidden_states: (B, D) array or tensor
    n_docs: K

Returns: vectors (B, K, D) float32 array, ids (B, K) array, list of B dicts of columns"""
        ...

    def _main_retrieve(self, question_hidden_states, n_docs):
        """Ids (B, K) and vectors (B, K, D) of the documents found, as arrays; one call of the index a batch."""
        ...

    def _chunk_tensor(self, t, chunk_size):
        """A batch in pieces of at most `chunk_size`."""
        ...

    def _top(self, vectors, n_docs, batch):
        """Ids and vectors that the index finds for one batch; words count where a model asks with questions."""
        ...

    def postprocess_docs(self, docs: list, input_strings: list, prefix: str | None, n_docs: int, return_tensors: str | None=None) -> tuple:
        """Contexts in the published form.

Parameters:
    docs: B dicts of columns, as `retrieve` gives them: title and text, K or more of each
    input_strings: B questions
    prefix: before every context; nothing where None
    n_docs: K
    return_tensors: "pt", "np" or None for lists

Returns: token ids and mask, (B·K, S)"""
        ...

    def _tokenizer(self, part):
        """One of the two tokenizers, or a plain error."""
        ...

    def set_ctx_encoder_tokenizer(self, ctx_encoder_tokenizer):
        """From now on give the documents' own tokens, too.

Parameters:
    ctx_encoder_tokenizer: of a passage encoder that is trained"""
        ...

    def _tokenized_docs(self, docs, n_docs):
        """The documents found, (B·K, S), for the passage encoder in training."""
        ...

    def _texts(self, question_input_ids):
        """The questions: as written where a model lends them, otherwise decoded."""
        ...

    def __call__(
        self, question_input_ids, question_hidden_states, prefix: str | None=None, n_docs: int | None=None,
        return_tensors: str | None=None
    ) -> BatchEncoding:
        """Contexts for questions given as token ids: context_input_ids, context_attention_mask, retrieved_doc_embeds (B, K, D), doc_ids (B, K).

Parameters:
    question_input_ids: (B, S) token ids: lists, array or tensor
    question_hidden_states: (B, D) array or tensor
    prefix: before every context
    n_docs: K
    return_tensors: "pt", "np" or None"""
        ...

    def _as_hits(self, vectors, ids, embeds, document, n_docs, words, weight):
        """`Hits` of what an override gave for questions (B, D), places without a document last; `document(b, k)` gives a `_Document`."""
        ...

    def _words_of(self, ids, questions, weight):
        """What shared words add to the scores of these rows, or None."""
        ...

    def _found_published(self, vectors, n_docs, questions, weight, where=None):
        """What the overrides find for questions (B, D), as `Hits`; a filter holds where they search by the library's own methods."""
        ...

    def _called(self, vectors, h, n_docs, questions, weight):
        """Call the retriever as a model of Transformers calls it; the contexts that it laid out stay with the hits."""
        ...

    def _decoded(self, row):
        """The text of a context whose document is not to be had otherwise."""
        ...

    def _document_of(self, row, notes):
        """The document behind an id that a call gave: as it was read, or as the index has it; None where nobody knows it."""
        ...

    def _laid_out(self, questions, hits, prefix, config, tokenizer):
        """Contexts (B·K, S) that an overridden `postprocess_docs` lays out."""
        ...

    def _without_deleted(self, ids, vectors):
        """What an index of one's own found, with deleted rows as not found."""
        ...

    def save_pretrained(self, save_directory: str | os.PathLike, overwrite: bool=False, for_transformers: bool=False):
        """Write passages, vectors, index, configuration and tokenizers into one folder that can be moved.

Parameters:
    save_directory: made where it does not exist
    overwrite: replace an index that is there
    for_transformers: also write the passages as a dataset with a FAISS index, so that Transformers opens the folder; takes twice the room"""
        ...

    def _write(self, new, path, overwrite, for_transformers=False):
        """Write into the folder `new` what is going to be in `path`."""
        ...

    def _save_folder(self, new, path, overwrite):
        """Write an index folder into `new`, unless `path` is the one that was opened; deleted passages are left out."""
        ...

    @classmethod
    def from_pretrained(
        cls, retriever_name_or_path: str | os.PathLike, indexed_dataset=None, config: RagConfig | None=None, encoder=None,
        verify: bool | None=None, index_device: str='cpu', **kwargs
    ) -> RagRetriever:
        """Open an index folder, or the index that a checkpoint names; nothing large is read before it is asked for.

Parameters:
    retriever_name_or_path: an index folder, or one in which a Rag was saved; or the name or folder of a published checkpoint
    indexed_dataset: a `datasets.Dataset` to search instead of a checkpoint's index
    config: the folder's or checkpoint's own where None
    encoder: the encoder of a folder's passages (TextEncoder, name or folder); found by its record where None
    verify: True: check all checksums; None: only of folders under 256 MB
    index_device: where an exact index searches
    kwargs: fields of the configuration: `n_docs`, and for a checkpoint `index_name`, `use_dummy_dataset`, `dataset`, …"""
        ...

    @classmethod
    def _opened(cls, name, indexed_dataset, config, encoder, verify, device, kwargs): ...

    @classmethod
    def _over(cls, folder, config, encoder=None, device='cpu', tokenizer=None):
        """A retriever over an open folder."""
        ...

    def _open(self, folder, device='cpu'):
        """Take passages, index, deletions and the encoder's record from a folder."""
        ...

    @classmethod
    def _published(cls, name, config=None, indexed_dataset=None, **kwargs):
        """The retriever of a checkpoint: its configuration with `kwargs` put in, its tokenizers, and the index that it names."""
        ...

    def add(
        self, documents, n_words: int=100, overlap: int=0, progress: bool=True, columns: dict | None=None, errors: str='raise',
        replace: bool=False
    ):
        """Embed and append documents; an id that is there already is refused, or replaced. A file keeps the id that it has in the folder of the index's documents.

Parameters:
    documents: whatever `from_documents` takes
    n_words: words a passage
    overlap: words that neighbouring passages share
    progress: show a progress bar
    columns: renames columns of the documents, as in {"contents": "text"}
    errors: or "skip": leave out documents that cannot be read, and list them in `skipped`
    replace: put them in the place of documents with the same ids"""
        ...

    def _exchange(self, rows, new, vectors, reading=None, said=None):
        """Delete rows and add passages with their vectors, in one change; what may fail comes first."""
        ...

    def _refresh(self):
        """See what others have written into the folder since it was opened."""
        ...

    def _maker(self):
        """The encoder in hand, while it is what made the vectors; otherwise that one, loaded again."""
        ...

    def _documents(self):
        """Ids of the documents that are in the index and not deleted."""
        ...

    def delete(self, ids: str | list):
        """Take documents out of the index, with all their passages.

Parameters:
    ids: document ids"""
        ...

    def sync(
        self, documents, n_words: int | None=None, overlap: int | None=None, columns: dict | None=None, errors: str='raise',
        progress: bool=True
    ) -> dict:
        """Make the index hold just these documents, and embed only what is new; documents from elsewhere go.

Parameters:
    documents: a folder, or whatever `from_documents` takes: what the index shall hold
    n_words: words a passage; as the index was built where None
    overlap: words that neighbouring passages share; likewise
    columns: renames columns of the documents; likewise
    errors: or "skip": leave out documents that cannot be read, and list them in `skipped`
    progress: show progress bars

Returns: how many documents were `kept`, `changed`, `added`, `deleted`, `skipped`, and how many passages were `embedded`"""
        ...

    def compact(self):
        """Rewrite the index without its deleted passages; the rows get new numbers."""
        ...

    def __setstate__(self, state): ...

def index_named(config: RagConfig, indexed_dataset=None):
    """The index that a configuration names: a published one, a dataset on disk, or DPR's own files.

Parameters:
    config: `index_name`, `dataset`, `index_path`, `passages_path`, `use_dummy_dataset`, …
    indexed_dataset: a `datasets.Dataset` with the columns title, text and embeddings, instead"""
    ...

def encoder_of(question_encoder) -> TextEncoder:
    """The encoder that is meant.

Parameters:
    question_encoder: TextEncoder, name or folder, or None for the embedded default"""
    ...

def encoder_record(encoder):
    """What an index folder writes down about the encoder that made its vectors."""
    ...

def _class_of(model): ...

def _published_encoder(index):
    """The encoder behind published vectors, by its name alone; None where it is not known."""
    ...

def _asked(kind, dtype, params, dim, where):
    """Kind, dtype and parameters of an index that is to be built, checked before the work begins."""
    ...

def _dtype_name(dtype):
    """The name of a type of numbers, of NumPy's, PyTorch's, or as a string."""
    ...

def _check_factory(factory, dim):
    """ValueError where FAISS knows no such index."""
    ...

def config_for(encoder: TextEncoder, **kwargs) -> RagConfig:
    """A configuration that embeds questions as `encoder` does; normalised vectors get a score scale of 20.

Parameters:
    encoder: whose description the configuration takes over
    kwargs: other fields of `RagConfig`"""
    ...

def cut_passages(encoder: TextEncoder, passages, most: int=20000) -> tuple:
    """Count the passages whose end the encoder does not read.

Parameters:
    encoder: which reads them
    passages: N passages
    most: how many to look at

Returns: how many of them are longer than the encoder reads, and how many were looked at"""
    ...

def _warn_cut(encoder, passages): ...

def _load_encoder(record):
    """The encoder a record names: the embedded one where it is that, otherwise by name."""
    ...

def _strangers(made, encoder, trained):
    """What to say of an index and a question encoder that do not belong together."""
    ...

_PUBLISHED_METHODS: dict

def _own_search(index):
    """Whether a subclass of one of our indexes, or an assignment, has its own `get_top_docs` or `get_doc_dicts`."""
    ...

def check_count(name: str, value, least: str='it has to be at least 1') -> int:
    """The value; TypeError where it is no whole number, ValueError where it is less than one.

Parameters:
    name: of the argument
    value: a number of things, at least one
    least: what to say of less"""
    ...

def question_list(questions) -> list:
    """The questions as a list; TypeError or ValueError where one is not a text, or has no words.

Parameters:
    questions: a string, or several of them"""
    ...

def check_question(q, i: int | None=None):
    """A question is a text, and has words.

Parameters:
    q: a question
    i: its place among others"""
    ...

def _union(a, b):
    """Rows of either list, ascending, each once: (B, K_a + K_b), −1 where it stood twice."""
    ...

_GIVES: Any

def _ready(questions, hits, config):
    """Contexts (B·K, S) that a call had laid out for these questions; None where there are none."""
    ...

def _to_the_left(ids, mask):
    """Contexts with what is padding moved to the left, as decoder-only generators read them."""
    ...

def _pad_of(config):
    """The id that fills gaps."""
    ...

def _spread(contexts, there):
    """Contexts (B·K', S) of some columns at their places among all K; the other rows, which nobody reads, repeat a question's first."""
    ...

def _prefix(prefix, config):
    """What stands before each context: what was said, the configuration's, or the generator's own."""
    ...

def _with_gaps(index, row):
    """The columns of one question's documents, with empty texts where nothing was found."""
    ...

def _numbers(x, kind):
    """A tensor as a tensor, a NumPy array or lists."""
    ...

def _by_row(docs, k):
    """The k-th document of one question, of a dict of columns or a list of dicts, as a dict; None where there is none."""
    ...

def _array(vectors): ...

def _lists(x): ...

def _noted(ids, docs):
    """Remember, for a model that asks, the documents behind ids that a call has found."""
    ...

class _Document(dict):
    """A passage as an override gave it; `columns` has what cannot be shown as well, `context` the question and the tokens it was laid out with."""
    columns: Any
    context: Any

    def __init__(self, columns, row) -> None: ...

    def __reduce__(self): ...

def _document_again(plain, columns, context):
    """An unpickled `_Document`."""
    ...

def _checked_call(retriever, out):
    """What a call gave, complete, with token ids and mask as tensors (B·K, S); TypeError or ValueError names what is wrong."""
    ...

def _rows_of_call(out):
    """The token ids of each context, without padding: for B questions K lists."""
    ...

class CalledRetriever(RagRetriever):
    """Anything that is called as a published retriever is, as a `RagRetriever`."""
    called: Any
    index: Any
    question_encoder_tokenizer: Any
    generator_tokenizer: Any
    config: Any

    def __init__(self, called) -> None: ...

    def __call__(self, question_input_ids, question_hidden_states, prefix=None, n_docs=None, return_tensors=None): ...

    def __len__(self): ...

    def __repr__(self): ...

    @property
    def ctx_encoder_tokenizer(self): ...

    @ctx_encoder_tokenizer.setter
    def ctx_encoder_tokenizer(self, tokenizer): ...

def as_retriever(retriever) -> RagRetriever:
    """The retriever itself, or what can be called as one in the clothes of one; TypeError says what it would need.

Parameters:
    retriever: a `RagRetriever`, or anything that is called like one"""
    ...

class AutoTokenizer(transformers.AutoTokenizer):
    """Transformers' `AutoTokenizer`, with the `RagTokenizer` of this library for RAG checkpoints."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *args, **kwargs) -> AutoTokenizer: ...

def _names_in(config, path, names):
    """Say in a configuration where dataset and FAISS index are: Transformers reads whole paths, and we the names in the folder that is opened."""
    ...

def _as_dataset(new, passages, index, deleted=None):
    """Write passages and vectors as a dataset with a flat FAISS index into a folder; their names in it."""
    ...

def _flat_faiss(new, vectors):
    """Write vectors (N, D) into a folder as a flat FAISS index; its name."""
    ...

def check_name(name, where: str):
    """TypeError or ValueError for what can be neither.

Parameters:
    name: of a checkpoint or a folder
    where: who was asked"""
    ...

def nothing_there(name) -> str | None:
    """What to say of a folder that is no checkpoint and no index, or of a name without a folder; None where it may be one.

Parameters:
    name: a folder or a name"""
    ...

_ELSEWHERE: set

def _index_in(path):
    """Where the index folder is in a folder: here, or in `index/`; None where there is none."""
    ...

def _check_names(given):
    """TypeError for a name that is almost one of a field of the configuration."""
    ...

def _config_in(path, folder, **kwargs):
    """The configuration saved beside an index, or one made from the encoder's record, with some fields set otherwise."""
    ...

def _published_config(name, kwargs):
    """The configuration of a RAG checkpoint, or one around the passage encoder of that name."""
    ...

def _has_tokenizers(name):
    """Whether a checkpoint has the two tokenizers of a RAG model."""
    ...

def _ids(ids):
    """Document ids as a list of strings; a number is an id, too."""
    ...
