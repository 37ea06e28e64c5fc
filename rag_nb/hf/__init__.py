"What published code and checkpoints expect."
