"""The page of the DecoderLens: what each layer of a model would play, to see and to hear."""
