"""A chat model gets a document and a question inside its own format; a plain one gets a few lines. Which of the two, and in which words, is decided here, before any document is embedded."""

# Written by tools/stubs.py: do not edit.

from rag_nb.core.config import RagConfig

__all__ = ['take_prompt', 'unread_words', 'prompt_for', 'answer_length']

def take_prompt(given: dict) -> tuple:
    """Keywords in two; `enable_thinking` and `reasoning_effort` go to the chat template.

Parameters:
    given: keywords

Returns: those of which a chat format is made, and the rest"""
    ...

def unread_words(tokenizer, names) -> list:
    """The keywords that a chat template does not read.

Parameters:
    tokenizer: with a chat template
    names: keywords for it"""
    ...

def prompt_for(tokenizer, generator, chat: dict, template: str | None=None, own: dict | None=None) -> dict:
    """The context template and answer prefix that suit a generator: its own chat format where it has one.

Parameters:
    tokenizer: the generator's
    generator: its configuration
    chat: `system`, `instruction`, `chat_template_kwargs`, as far as they were given
    template: a context template that was given
    own: settings that come with the generator

Returns: fields of `RagConfig`"""
    ...

def _unheard(chat, template):
    """The sentence for parts of a chat format that nothing would read."""
    ...

def _chat_prompt(tokenizer, chat):
    """Fields of `RagConfig` for a decoder-only generator without a template of its own."""
    ...

def answer_length(config: RagConfig) -> int:
    """How many new tokens an answer may have by default: 32 behind a plain prompt, 256 in a chat format, 2,048 where it thinks."""
    ...
