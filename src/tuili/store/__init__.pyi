from .tokenizer import ASSISTANT, BEGIN, PAD, SPECIAL_TOKENS, USER, Tokenizer

__all__ = ["ASSISTANT", "BEGIN", "PAD", "SPECIAL_TOKENS", "USER", "Tokenizer"]
