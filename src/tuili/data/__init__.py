"""Data for training: records in and out, the tokenizer, packed blocks, and the endless stream of them."""
