"""The quality of a document, estimated by a small classifier of its words and its appearance."""
