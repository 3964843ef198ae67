"""The engine against llama.cpp, OpenVINO GenAI and transformers: equal active sizes, the same work, in turns."""
