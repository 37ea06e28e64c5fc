"What else could have been said: a second look at an answer agrees with a plain forward pass, and beams are the ones that were searched."
import pickle

import pytest, torch

from rag_nb import Rag
from rag_nb.show.candidates import Alternatives, BeamTrace
from rag_nb.core.marginal import doc_log_prior
from rag_nb.core.model import start_id
from rag_nb.core.toy import toy_documents, toy_encoder, toy_generator, toy_tokenizer

KINDS, HEADS = ["bart", "t5", "llama", "gpt2"], ["token", "sequence"]
QUESTION = "Who wrote the first computer program?"


@pytest.fixture(scope="module")
def rags():
    return {kind: Rag.from_documents(toy_documents(), generator=(toy_generator(kind), toy_tokenizer(kind=kind)), encoder=toy_encoder(), progress=False) for kind in KINDS}


def plain(rag, answer):
    "Log-probabilities of everything at every token, (K, W, V), by one ordinary forward pass over contexts and answer."
    hits, scores, ctx = rag._read_for([answer.question], None, answer.hits)
    y = answer.written[None]
    start = torch.cat([torch.tensor([[start_id(rag.model.config)]]), y[:, :-1]], 1)
    with torch.no_grad(): out = rag.model(**ctx, doc_scores=scores, decoder_input_ids=start, do_marginalize=False)
    return out.logits.float().log_softmax(-1), doc_log_prior(scores)[0]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("kind", KINDS)
def test_alternatives_are_those_of_a_forward_pass(rags, kind, head):
    "Overall and by document, for both heads; RAG-Sequence weighs documents by what it believed one token earlier."
    rag = rags[kind]
    a = rag.ask(QUESTION, kind=head, n_docs=3, min_new_tokens=4, max_new_tokens=5, num_beams=2)
    x = rag.alternatives(a, n=6)
    each, log_prior = plain(rag, a)
    for i, token in enumerate(a.token_ids.tolist()):
        before = torch.stack([each[:, j, t] for j, t in enumerate(a.token_ids[:i].tolist())]).sum(0) if i else torch.zeros(3)
        weight = log_prior if head == "token" else (log_prior + before).log_softmax(0)
        overall = (each[:, i] + weight[:, None]).logsumexp(0).exp()
        torch.testing.assert_close(x.probs[i, 0], overall[token], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(x.probs[i, 1:], overall.index_fill(0, torch.tensor([token]), 0).topk(5).values, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(x.by_doc[i, :, 0], each[:, i, token].exp(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(x.doc_probs[i], each[:, i].exp().topk(6).values, atol=1e-5, rtol=1e-4)
    assert [t[0] for t in x.tokens] == a.tokens

def test_a_token_at_the_beginning_that_does_not_count(rags):
    "BART's published checkpoints begin every answer with <s>; what follows has seen it."
    rag = rags["bart"]
    a = rag.ask(QUESTION, n_docs=3, min_new_tokens=4, max_new_tokens=5, forced_bos_token_id=1)
    assert a.written[0] == 1 and len(a.written) > len(a.tokens)
    torch.testing.assert_close(rag.alternatives(a).probs[:, 0].log(), a.token_logprobs, atol=1e-4, rtol=1e-4)

@pytest.mark.parametrize("head", HEADS)
def test_sampled_tokens_come_first(rags, head):
    torch.manual_seed(3)
    a = rags["llama"].ask(QUESTION, kind=head, n_docs=3, do_sample=True, temperature=3., min_new_tokens=6, max_new_tokens=6)
    x = rags["llama"].alternatives(a, n=2)
    torch.testing.assert_close(x.probs[:, 0].log(), a.token_logprobs, atol=1e-4, rtol=1e-4)
    assert (x.probs[:, 0] < x.probs[:, 1]).any()  # hot sampling leaves the best token sometimes

def test_documents_that_were_not_found_and_answers_that_were_stored(rags):
    a = rags["bart"].ask(QUESTION, n_docs=20, min_new_tokens=3, max_new_tokens=4)
    again = pickle.loads(pickle.dumps(a))
    x, y = rags["bart"].alternatives(a), rags["bart"].alternatives(again)
    assert torch.equal(x.probs, y.probs) and torch.isfinite(x.probs).all() and x.by_doc.shape == (len(a.tokens), 20, 8)
    torch.testing.assert_close(x.probs[:, 0].log(), a.token_logprobs, atol=1e-4, rtol=1e-4)

def test_empty_answer_and_small_vocabulary(rags):
    a = rags["bart"].ask(QUESTION, n_docs=2, max_new_tokens=4)
    a.tokens, a.token_ids = [], a.token_ids[:0]
    x = rags["bart"].alternatives(a)
    assert isinstance(x, Alternatives) and len(x) == 0 and x.by_doc.shape == (0, 2, 8)
    b = rags["bart"].ask(QUESTION, n_docs=2, min_new_tokens=2, max_new_tokens=2)
    assert rags["bart"].alternatives(b, n=10**6).probs.shape == (2, 260)
    torch.testing.assert_close(rags["bart"].alternatives(b, n=10**6).probs.sum(-1), torch.ones(2), atol=1e-4, rtol=1e-4)

@pytest.mark.parametrize("kind", KINDS)
def test_the_tree_is_that_of_the_search(rags, kind):
    "The winner is what `ask` says; every beginning's probability is that of a forward pass; parents are prefixes."
    rag, kw = rags[kind], dict(num_beams=4, n_docs=3, max_new_tokens=5)
    trace, a = rag.trace_beams(QUESTION, **kw), rag.ask(QUESTION, **kw)
    assert isinstance(trace, BeamTrace) and trace.answer.text == a.text and trace.num_beams == 4
    best = [n for n in trace.nodes if n.best]
    assert [n.step for n in best] == list(range(1, len(best)+1)) and best[-1].ended
    assert abs(best[-1].logprob - a.logprob) < 1e-4
    assert [n.doc for n in best][:len(a.tokens)] == a.doc_posterior.argmax(-1).tolist()
    for i, n in enumerate(trace.nodes):
        if n.parent < 0: assert n.step == 1
        else: assert n.parent < i and trace.nodes[n.parent].step == n.step - 1 and not trace.nodes[n.parent].ended
    alive = [sum(n.step == s and not n.ended for n in trace.nodes) for s in range(1, 5)]
    assert max(alive) <= 4 and alive[0] >= 2
