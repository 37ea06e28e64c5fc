"""The way of one question through the code: how many calls, functions, modules, and changes from one module to another.

    python tools/walk.py     # one `Rag.ask` on the toy

A call counts where a function of rag_nb is entered; a change is a call into another module of rag_nb than the caller of ours was in, so
that a helper used back and forth counts every time. Comprehensions and lambdas are no functions here.
"""
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


class Walk:
    "Counts calls inside rag_nb while it is on."
    def __init__(self, package="rag_nb"):
        self.calls, self.changes, self.edges, self.last = Counter(), 0, Counter(), None
        self.home = str(Path(sys.modules[package].__file__).parent)

    def __call__(self, frame, event, arg):
        name = frame.f_code.co_name
        if event != "call" or not frame.f_code.co_filename.startswith(self.home) or (name.startswith("<")): return
        module = Path(frame.f_code.co_filename).relative_to(self.home).with_suffix("").as_posix().replace("/", ".")
        self.calls[module, frame.f_code.co_firstlineno, name] += 1
        if self.last not in (None, module): self.changes += 1; self.edges[self.last, module] += 1
        self.last = module

    def __enter__(self): sys.setprofile(self); return self
    def __exit__(self, *error): sys.setprofile(None)

    def counts(self):
        return dict(calls=sum(self.calls.values()), functions=len(self.calls), modules=len({m for m, *_ in self.calls}),
            changes=self.changes)


def toy():
    "A `Rag` of the toy's parts."
    import torch
    from rag_nb import Rag, RagRetriever, toy_documents, toy_encoder, toy_generator, toy_tokenizer
    torch.manual_seed(0)
    encoder, generator = toy_encoder(), toy_generator()
    retriever = RagRetriever.from_documents(toy_documents(), encoder)
    return Rag.from_parts(retriever, encoder, (generator, toy_tokenizer()))


def walk(question="Who wrote it?"):
    "The second `ask` of a toy: the first also imports and builds what is kept."
    rag = toy()
    rag.ask(question, max_new_tokens=4)
    with Walk() as w: rag.ask(question, max_new_tokens=4)
    return w


def main():
    w = walk()
    print(", ".join(f"{n} {k}" for k, n in w.counts().items()))
    for (a, b), n in w.edges.most_common(): print(f"{n:5}  {a} → {b}")


if __name__ == "__main__": main()
