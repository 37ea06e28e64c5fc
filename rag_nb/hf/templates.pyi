"""A chat template is a program that comes with somebody's model. It is run in the sandbox that Transformers uses, and here it cannot fill the memory or run for ever either."""

# Written by tools/stubs.py: do not edit.

from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from typing import Any

__all__ = ['render_template', 'render_chat']

_MOST: int

def _inside(x):
    """The values that a container holds; nothing for other things."""
    ...

def _weight(x, most):
    """Characters and items in a value, everything inside included, as far as `most`."""
    ...

class _Counter:
    """Steps and characters of one rendering; SecurityError when there are too many."""
    steps: int
    start: Any

    def __init__(self) -> None: ...

    def step(self, *inputs, grown=0):
        """Before a step is taken: what goes into it, and how long what it makes can get."""
        ...

    def each(self, things):
        """What a loop goes through, counted."""
        ...

    def weigh(self, x):
        """A value that was just put together, looked at."""
        ...

def _grown(op, left, right):
    """How long the result of an operator gets: characters, items, or digits (a digit takes more time)."""
    ...

def _wide(form):
    """The length of a format; without bound where it has a width that is long or comes from outside."""
    ...

def _check_call(counter, name, subject, args):
    """SecurityError for a call whose result could be much longer than what goes into it."""
    ...

class _Bounded(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a limit on what is made and on how long it takes."""
    intercepted_binops: Any = ...

    def call_binop(self, context, operator, left, right): ...

    def call(self, context, obj, *args, **kwargs): ...

    def _generate(self, source, name, filename, defer_init=False): ...

def _counted(tree):
    """The syntax tree, with joins and loops that are counted."""
    ...

def _through(name, node): ...

class _Weighed(NodeTransformer):
    """Replaces each join, list, dict and comparison by a filter over its parts."""

    def visit_Concat(self, node): ...

    def visit_List(self, node): ...

    def visit_Tuple(self, node): ...

    def visit_Compare(self, node): ...
    visit_Dict = visit_List

def _bound_filter(counter, name, f):
    """A filter whose input is looked at before it runs."""
    ...

def _joined(parts):
    """`a ~ b`, of any number of parts."""
    ...

def _environment(counter):
    """Transformers' own environment for chat templates, within bounds."""
    ...

def render_template(template: str, **values) -> str:
    """What a chat template writes; SecurityError (of Jinja) where it would write too much or take too long.

Parameters:
    template: in Jinja's language
    values: what it sees"""
    ...

def render_chat(tokenizer, messages: list, **template) -> str:
    """What `tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)` writes, within bounds.

Parameters:
    tokenizer: with a chat template
    messages: dicts of role and content
    template: further variables"""
    ...
