"""Other engines beside ours (llama.cpp, OpenVINO GenAI, transformers): equal active sizes, the same work, in turns."""
