"""Other servers beside ours, under the same load: llama.cpp's and transformers'."""
