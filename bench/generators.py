"""One generator kept and read in several ways: attention by PyTorch and by FlashAttention-2, weights in bfloat16 and in four bits.

    python bench/generators.py [--device cuda|cpu] [--size large|tiny] [--rows NAME ...] [--repeat 5] [--out FILE.json]

`attention` rows: a checkpoint of BART-large's size with a DPR question encoder, random weights, opened as published code opens one,
`from_pretrained(folder, dtype=..., attn_implementation=...)`. Contexts have between half of --context tokens and all of them. A step
is the loss of RAG-Token with its gradient; an answer is --new tokens with four beams. `bits` rows: a decoder-only generator of 1.1 B
weights (2,048 wide, 22 layers), in bfloat16 through the engine and through the reference decoder, and with
`quantization_config=BitsAndBytesConfig(load_in_4bit=True)`, which takes the reference decoder. Random weights do not forgive as trained ones do: what the
rows tell is memory and time; `posterior differs by` and `same tokens` are beside the first row of each group.
A row whose package is missing says so.
"""
import tempfile

from common import Report, alternate, arguments, machine, peak
from generation import BOS, EOS, PAD, SIZES
import torch, transformers
from transformers import BartConfig, BartForConditionalGeneration, BitsAndBytesConfig, DPRConfig, DPRQuestionEncoder, LlamaConfig, LlamaForCausalLM
from rag_nb import RagTokenForGeneration

LLAMA = dict(large=dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22, num_attention_heads=32, num_key_value_heads=4,
    vocab_size=32000),
             tiny=dict(hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
             vocab_size=1000))
DPR = dict(large=dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072, vocab_size=30522),
    tiny=dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, vocab_size=100))
ROWS = {"attention eager": ("bart", dict(attn_implementation="eager"), "auto"),
    "attention sdpa": ("bart", dict(attn_implementation="sdpa"), "auto"),
        "attention flash_attention_2": ("bart", dict(attn_implementation="flash_attention_2"), "auto"),
        "bits 16": ("llama", {}, "auto"), "bits 16, general loop": ("llama", {}, "reference"),
        "bits 4 (nf4)": ("llama", dict(bits="nf4"), "reference")}
COLUMNS = [("row", "row", ""), ("attention is", "attention", ""), ("weights GiB", "weights_gib", ".2f"),
    ("answers ms", "answer_ms", ".1f"), ("peak GiB", "answer_peak_gib", ".2f"), ("step ms", "step_ms", ".1f"),
           ("peak GiB", "step_peak_gib", ".2f"), ("posterior differs by", "gap", ".1e"), ("loss by", "loss_gap", ".1e"),
           ("same tokens", "same", ".0%")]


def checkpoint(kind, a, folder):
    "A saved RAG model with random weights."
    torch.manual_seed(0)
    size = "tiny" if a.size == "tiny" else "large"
    with torch.device(a.device):
        encoder = DPRQuestionEncoder(DPRConfig(**DPR[size if kind == "bart" else "tiny"]))
        generator = BartForConditionalGeneration(BartConfig(**SIZES[a.size], init_std=.06, forced_eos_token_id=None, pad_token_id=PAD,
            bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=EOS)) if kind == "bart" else \
            LlamaForCausalLM(LlamaConfig(**LLAMA[size], initializer_range=.06, pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS,
                max_position_embeddings=4096))
    RagTokenForGeneration(question_encoder=encoder, generator=generator.to(torch.bfloat16), n_docs=a.docs).save_pretrained(folder)


def opened(folder, a, bits=None, **how):
    "The checkpoint, and GiB of its weights."
    if bits:
        how["quantization_config"] = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=bits, bnb_4bit_compute_dtype=torch.bfloat16)
    before = torch.cuda.memory_allocated() if a.device == "cuda" else 0
    model = RagTokenForGeneration.from_pretrained(folder, dtype=torch.bfloat16, device_map=a.device, **how).eval()
    model.config.passage_cache_bytes = 0                                       # contexts are read at every call
    return model, (torch.cuda.memory_allocated() - before)/2**30 if a.device == "cuda" else sum(p.numel()*p.element_size()
        for p in model.parameters())/2**30


def inputs(kind, a, V):
    "Contexts of different lengths, padded on the side that the generator wants, and answers."
    g = torch.Generator().manual_seed(1)
    B, K, S = a.batch, a.docs, a.context
    lengths = torch.randint(S//2, S + 1, (B*K, 1), generator=g)
    mask = (torch.arange(S)[None] < lengths).long()                                          # (B·K, S)
    if kind == "llama": mask = mask.flip(1)
    ids = torch.randint(5, V - 5, (B*K, S), generator=g)*mask + PAD*(1 - mask)
    labels = torch.randint(5, V - 5, (B, a.new), generator=g)
    labels[:, -1] = EOS
    x = dict(context_input_ids=ids, context_attention_mask=mask, doc_scores=torch.randn(B, K, generator=g))
    return {k: v.to(a.device) for k, v in x.items()}, labels.to(a.device)


def row(kind, how, decoder, a, folders, first):
    if kind not in folders:
        folders[kind] = tempfile.mkdtemp()
        checkpoint(kind, a, folders[kind])
    model, weights = opened(folders[kind], a, **how)
    x, labels = inputs(kind, a, model.generator.config.vocab_size)
    answer = lambda: model.generate(**x, max_new_tokens=a.new, min_new_tokens=a.new, num_beams=4 if kind == "bart" else 1, do_sample=False,
        decoder=decoder, eos_token_id=EOS, pad_token_id=PAD, return_dict_in_generate=True)
    def step():
        model.zero_grad(set_to_none=True)
        loss = model(**x, labels=labels).loss.mean()
        loss.backward()
        return loss.detach()
    with torch.no_grad(): said, memory = answer(), peak(answer, a.device)
    tokens, posterior = said.sequences[:, -a.new:].cpu(), said.doc_posteriors.float().cpu()
    out = dict(attention=getattr(model.generator.config, "_attn_implementation", None), weights_gib=weights, answer_peak_gib=memory)
    with torch.no_grad(): out["answer_ms"] = 1e3*alternate(dict(it=answer), a.repeat, a.device)["it"]["wall"]
    if kind == "bart":
        loss = float(step())
        out |= dict(step_peak_gib=peak(step, a.device), step_ms=1e3*alternate(dict(it=step), a.repeat, a.device)["it"]["wall"], loss=loss)
    if kind not in first: first[kind] = tokens, posterior, out.get("loss")
    else:
        same = (tokens == first[kind][0]).all(1)
        out |= dict(same=float(same.float().mean()), gap=float((posterior - first[kind][1])[same].abs().max()) if same.any() else None,
            loss_gap=abs(out["loss"] - first[kind][2])/first[kind][2] if "loss" in out else None)
    return out


def main():
    p = arguments(__doc__)
    p.add_argument("--size", choices=["large", "tiny"]); p.add_argument("--docs", type=int, default=5)
    p.add_argument("--context", type=int, default=300)
    p.add_argument("--batch", type=int, default=8); p.add_argument("--new", type=int, default=32, help="tokens of an answer")
    a = p.parse_args()
    cuda = a.device == "cuda"
    a.size = a.size or ("large" if cuda else "tiny")
    if a.list: return print("\n".join(ROWS))
    transformers.logging.set_verbosity_error()
    report, folders, first = Report(COLUMNS, machine(a.device, torch.bfloat16), a.out, benchmark="generators", size=a.size, batch=a.batch,
        docs=a.docs, context=a.context, new=a.new), {}, {}
    for name in a.rows or ROWS:
        if not report.over(a.seconds): report.add(name, lambda: row(*ROWS[name], a, folders, first))


if __name__ == "__main__": main()
