"""The worked example of the documents: from a folder of mixed documents to a model that solves their problems."""
