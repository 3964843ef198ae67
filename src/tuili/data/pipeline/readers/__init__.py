"""Readers: files in, documents out, and a refusal with its place for whatever cannot be read. One file a format."""
