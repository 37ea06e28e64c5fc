"""In IPython and Jupyter, `Rag.ask?` lists each argument with its meaning."""

# Written by tools/stubs.py: do not edit.

__all__ = ['described', 'describe']

def described(f) -> str:
    """What `?` shows of a function.

Parameters:
    f: a function

Returns: its docstring, with a list of its arguments' meanings below where they have any"""
    ...

def describe(package='rag_nb'):
    """Give every function and method of the package's loaded modules a `getdoc`, which IPython's `?` calls.

Parameters:
    package: whose loaded modules are gone through"""
    ...

def _describe(module, package):
    """The functions of one module, and the methods of its classes."""
    ...
