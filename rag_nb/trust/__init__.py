"How far an answer can be trusted: support, refusing, and what both are worth."
