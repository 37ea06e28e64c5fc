"`python -m rag_nb` is the command `rag-nb`, for environments whose scripts are not on the path."
import sys

from rag_nb.cli import main

if __name__ == "__main__": sys.exit(main())
