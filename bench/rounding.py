"""What bfloat16 does to the random decoder-only network of bench/generation.py: how far its log-probabilities are from float32's.

    python bench/rounding.py [--device cuda|cpu] [--size large|tiny] [--places 17]

Five documents of 200 tokens with the same answer of random tokens behind each; log p(y_i|x,y_<i) summed over documents as RAG-Token does.
Beside the table of generation, where a greedy answer in bfloat16 may part from the other side's: a gap between two tokens that is
smaller than what bfloat16 itself errs by says nothing about either side.
"""
import argparse

import torch
from generation import LLAMA, inputs, models
from rag_nb.core.marginal import doc_log_prior


@torch.no_grad()
def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    p.add_argument("--size", choices=LLAMA, default="large")
    p.add_argument("--places", type=int, default=17)
    a = p.parse_args()
    generator = models("causal", a.size, a.device, torch.float32, 5)[2]
    x = inputs("causal", 1, 5, 200, generator.config.vocab_size, a.device)
    answer = torch.randint(5, generator.config.vocab_size - 5, (1, a.places - 1), generator=torch.Generator().manual_seed(2)).to(a.device)
    ids, prior = torch.cat([x["context_input_ids"], answer.expand(5, -1)], 1), doc_log_prior(x["doc_scores"])
    read = lambda g: g(input_ids=ids, logits_to_keep=a.places).logits.float()                    # (K, T, V)
    exact, rounded = read(generator), read(generator.to(torch.bfloat16))
    marginal = lambda logits: torch.logsumexp(logits.log_softmax(-1) + prior[0, :, None, None], 0)   # (T, V)
    truth, said = marginal(exact), marginal(rounded)
    likely = truth.topk(5, -1).indices
    error = (said - truth).gather(-1, likely)
    first = truth.topk(2, -1).values
    print(f"logits: standard deviation {exact.std():.2f}, bfloat16 errs by {(rounded - exact).std():.2f}")
    print(f"log p of the five likeliest tokens at {a.places} places: bfloat16 errs by {error.std():.2f}, the most {error.abs().max():.2f} "
        f"nats")
    print(f"the likeliest and the second are {(first[:, 0] - first[:, 1]).min():.2f} to {(first[:, 0] - first[:, 1]).max():.2f} nats apart")


if __name__ == "__main__": main()
