"""Typical calls, read by mypy and never run: `assert_type` says what each gives; what has no type yet is only called.

A line that ends in `# error: CODE` is a mistake that mypy has to find, and no other may it find.
"""
from collections.abc import Iterable

import torch
from typing_extensions import assert_type

import rag_nb
from rag_nb import (
    Answer, Citation, EncoderSpec, Evaluation, ExactIndex, Hits, IndexFolder, Passages, Questions, Rag, RagCollator, RagConfig, RagRetriever,
    RagSequenceForGeneration, RagTokenForGeneration, RagTokenizer, TextEncoder, exact_match, f1_score, finetune, rag_token_loss, read_questions, toy_documents,
)

# the two ways to a Rag
rag: Rag = Rag.from_pretrained("folder")
retriever: RagRetriever = RagRetriever.from_documents("documents")
rag = Rag.from_parts(retriever, encoder="encoder")

# a question and its answer
answer = rag.ask("Who wrote it?", n_docs=3, num_beams=4)
assert_type(answer, Answer)
assert_type(answer.text, str)
assert_type(answer.hits, Hits)
assert_type(answer.doc_prior, torch.Tensor)
assert_type(answer.doc_posterior, torch.Tensor)
assert_type(answer.running_posterior, torch.Tensor)
assert_type(answer.token_logprobs, torch.Tensor)
assert_type(answer.logprob, float)
assert_type(answer.without(0), Answer)
assert_type(answer.column("title"), int)
cited: Iterable[Citation] = answer.citations
for c in cited: assert_type((c.text, c.title, c.start, c.probability), tuple[str, str, int, float])

# what was found
hits = answer.hits
assert_type(hits.ids, torch.Tensor)
assert_type(hits.scores, torch.Tensor)
assert_type(hits.mask, torch.Tensor | None)
assert_type(len(hits), int)

# the parts
config = RagConfig(n_docs=3)
encoder: TextEncoder = rag.encoder
spec: EncoderSpec = encoder.spec
passages: Passages = retriever.passages
index = ExactIndex(torch.zeros(2, 4))
folder: IndexFolder = IndexFolder.open("folder")
tokenizer: RagTokenizer = rag.tokenizer
token: RagTokenForGeneration = RagTokenForGeneration.from_pretrained("folder")
sequence: RagSequenceForGeneration = RagSequenceForGeneration.from_pretrained("folder")
generated = token.generate(input_ids=torch.zeros(1, 4, dtype=torch.long))

# training and evaluation
questions: Questions = read_questions("questions.jsonl")
collator = RagCollator(tokenizer, config)
result: Evaluation = rag.evaluate(questions)
finetune(rag, questions, output_dir="tuned")
loss: torch.Tensor = rag_token_loss(torch.zeros(1, 2, 3, 4), torch.zeros(1, 2), torch.zeros(1, 3, dtype=torch.long))
score: float = f1_score("one", ["one"])
same: float = exact_match("one", ["one"])
found = toy_documents()
version: str = rag_nb.__version__

# mistakes that have to be found
rag.aks("Who wrote it?")             # error: attr-defined
answer.pasages                       # error: attr-defined
rag.ask("Who?", n_docs="three")      # error: arg-type
rag.ask()                            # error: call-arg
rag_nb.Rga                           # error: attr-defined
