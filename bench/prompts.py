"""Which prompt suits the built-in generator as it comes, before anything was trained?

    python bench/prompts.py DEV.parquet [--n 600] [--docs 1 5] [--gold] [--only NAME ...] [--device cuda] [--out FILE.json]

DEV.parquet has the columns question, answers (a list) and document_id; a fixed sample of its questions is asked through
`Rag.ask` (RAG-Token, greedy), over the knowledge that comes with the package. EM and F1 are SQuAD's. With --gold the model is
given the right paragraph and no other. Prints one line a prompt and number of documents. A line takes 20 seconds on a
large GPU; on two cores take --n 40.
"""
import argparse, collections, json, re, string, time
from pathlib import Path

from rag_nb.demo.defaults import EXAMPLES

PLAIN = "{title}\n{text}\n\nQuestion: {question}\nAnswer:"
TIGHT = "{title}: {text}\nQuestion: {question}\nAnswer:"
AGAIN = "Question: {question}\n{title}: {text}\nAnswer to \"{question}\":"
LABELS = "Title: {title}\nText: {text}\nQuestion: {question}\nAnswer:"
LETTERS = "{title}\n{text}\nQ: {question}\nA:"
SPAN = "{title}\n{text}\n\nQuestion: {question}\nShort answer from the text:"
SHORT = "Answer each question with a few words copied from the text."
SHOTS = EXAMPLES + [  # those of the default prompt, and three more; written for this purpose, none is in SQuAD
    ("Lighthouse of Genoa", "The Lighthouse of Genoa is the main lighthouse of the city's port. It is 77 metres high and was rebuilt in "
    "1543.",
     "How high is the Lighthouse of Genoa?", "77 metres"),
    ("Bicycle", "Bicycles were introduced in the 19th century in Europe. Their main use today is transport, and most are owned in China.",
     "Where were bicycles introduced?", "Europe"),
    ("Tide", "Tides are the rise and fall of sea levels, caused by the pull of the Moon and, to a lesser degree, the Sun.",
     "What causes tides besides the Moon?", "the Sun")]


def filled(layout, shot):
    "The layout with an example in it, and its answer."
    title, text, question, answer = shot
    return layout.replace("{title}", title).replace("{text}", text).replace("{question}", question) + " " + answer


def shots(n, layout=PLAIN, end="\n\n", before=""):
    "n examples and then the layout, its holes open."
    return before + "".join(filled(layout, s) + end for s in SHOTS[:n]) + layout


def chat(user, system="You are a helpful AI assistant named SmolLM, trained by Hugging Face", assistant=""):
    "The generator's chat format around one message."
    return f"<|im_start|>system\n{system}<|im_end|>\n<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n{assistant}"


def turns(n):
    "Examples as turns of a conversation."
    ask = "{title}\n{text}\n\nQuestion: {question}"
    said = "".join("<|im_start|>user\n" + filled(ask + "<|im_end|>\n<|im_start|>assistant\n", s).replace("assistant\n ", "assistant\n")
        + "<|im_end|>\n" for s in SHOTS[:n])
    return f"<|im_start|>system\n{SHORT}<|im_end|>\n{said}<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n"


PROMPTS = {
    "plain": PLAIN, "plain, instructed": SHORT + "\n\n" + PLAIN,
    "chat": chat("{title}\n{text}\n\nQuestion: {question}"),
    "chat, a few words": chat("{title}\n{text}\n\nQuestion: {question}\nAnswer in a few words."),
    "chat, a span": chat("{title}\n{text}\n\nQuestion: {question}",
    system="Answer with the shortest possible span copied from the text. Do not write a sentence."),
    "chat, begun": chat("{title}\n{text}\n\nAnswer the question with a few words from the text.\nQuestion: {question}",
    assistant="Answer:"),
    **{f"turns {n}": turns(n) for n in (1, 3, 5)},
    **{f"shots {n}": shots(n) for n in (1, 2, 3, 4, 5, 8)},
    **{f"shots {n}, instructed": shots(n, before=SHORT + "\n\n") for n in (3, 5)},
    **{f"shots {n}, tight": shots(n, TIGHT) for n in (3, 5)},
    **{f"shots {n}, labels": shots(n, LABELS) for n in (3, 5)},
    **{f"shots {n}, letters": shots(n, LETTERS) for n in (3, 5)},
    **{f"shots {n}, span": shots(n, SPAN) for n in (3, 5)},
    **{f"shots {n}, ended": shots(n, end="<|im_end|>\n\n") for n in (3, 5)},
    **{f"shots {n}, question twice": shots(n, AGAIN) for n in (3, 5)},
}


def normal(text):
    "SQuAD's normal form: lower case, no punctuation, no articles."
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def f1(said, answer):
    "Harmonic mean of precision and recall over words."
    said, answer = normal(said), normal(answer)
    common = sum((collections.Counter(said) & collections.Counter(answer)).values())
    return 2*common / (len(said) + len(answer)) if common else float(said == answer)


def scored(texts, rows):
    "EM and F1, the best over each question's answers, averaged."
    em = [max(normal(t) == normal(a) for a in r["answers"]) for t, r in zip(texts, rows)]
    return sum(em)/len(em), sum(max(f1(t, a) for a in r["answers"]) for t, r in zip(texts, rows))/len(rows)


def sample(path, n, seed):
    "A fixed sample of the questions."
    import numpy as np, pyarrow.parquet as pq
    rows = pq.read_table(path, columns=["question", "answers", "document_id"]).to_pylist()
    return [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))[:n]]


def gold_hits(rag, rows):
    "The right paragraph of each question, and no other."
    from rag_nb.core.passages import Hits
    place = {d: i for i, d in enumerate(rag.retriever.passages.column("document"))}
    return Hits.of([[rag.retriever.passages[place[r["document_id"]]]] for r in rows], [[0.] for _ in rows])


def newlines(tokenizer):
    "Ids of the tokens that begin a new line, which end an answer as the end token does."
    return [i for i in range(len(tokenizer)) if "\n" in tokenizer.decode([i])]


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("questions", type=Path); a.add_argument("--n", type=int, default=600); a.add_argument("--seed", type=int, default=0)
    a.add_argument("--docs", type=int, nargs="*", default=[1, 5]); a.add_argument("--gold", action="store_true")
    a.add_argument("--only", nargs="+")
    a.add_argument("--device"); a.add_argument("--batch", type=int, default=8); a.add_argument("--tokens", type=int, default=16)
    a.add_argument("--length", type=int, default=640); a.add_argument("--scale", type=float, nargs="+", default=[20.])
    a.add_argument("--beams", type=int, default=1)
    a.add_argument("--kind", default="token"); a.add_argument("--out", type=Path)
    o = a.parse_args()
    from rag_nb.demo.defaults import Rag
    rag, rows, found = Rag.demo("token", device=o.device, trained=False), sample(o.questions, o.n, o.seed), []
    config, questions = rag.model.config, [r["question"] for r in rows]
    ends = [rag.tokenizer.generator.eos_token_id, *newlines(rag.tokenizer.generator)]
    config.max_combined_length = o.length
    ways = [("gold", gold_hits(rag, rows), 1.)] * o.gold + [(k, None, s) for k in o.docs for s in o.scale]
    for name in o.only or PROMPTS:
        for k, hits, scale in ways:
            config.context_template, config.score_scale, start = PROMPTS[name], scale, time.time()
            answers = rag.ask(questions, kind=o.kind, n_docs=None if hits is not None else k, hits=hits, max_new_tokens=o.tokens,
                num_beams=o.beams, eos_token_id=ends, batch_size=o.batch)
            em, f = scored([x.text for x in answers], rows)
            found.append(dict(prompt=name, docs=k, scale=scale, n=len(rows), em=em, f1=f, seconds=time.time()-start,
                said=[x.text for x in answers]))
            print(f"{name:26} docs {k!s:5} scale {scale:<4g} EM {em:.3f}  F1 {f:.3f}  {found[-1]['seconds']:.0f} s", flush=True)
            if o.out: o.out.write_text(json.dumps(found, ensure_ascii=False))


if __name__ == "__main__": main()
