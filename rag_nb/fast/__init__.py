"The same answers sooner."
