"""Publication: where each output is kept, what may leave, and a data set on the model hub."""
