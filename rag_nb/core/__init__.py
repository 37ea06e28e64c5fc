"The book: from the equation to an answer with its sources. Imports no other room at the top of a module."
