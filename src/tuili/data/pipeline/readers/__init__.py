"""Readers turn files into documents, and refuse whatever they cannot read, with its place. One module per format."""
