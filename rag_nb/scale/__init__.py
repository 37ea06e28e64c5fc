"Many machines, many questions."
