"""One worker for each engine, a process of its own; llama.cpp and OpenVINO run in the environment `.venv-peers`."""
