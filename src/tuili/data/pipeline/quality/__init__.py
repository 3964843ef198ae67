"""The quality of a document, told by a small linear classifier of its words and of what they look like."""
