"""The step of a model by the native library, and how it gets its weights."""
