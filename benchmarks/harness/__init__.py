"""What benchmarks share: the command, the record, kept results, texts, and a server to measure."""
