"Documents in, and kept: readers, index folders, kinds of index."
