"""Drawing: a model and a request make new music."""
