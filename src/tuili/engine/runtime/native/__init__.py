"""The step of a model in the native library, and the packing of its weights."""
