"""Readers: files of questions in several forms. Each question becomes a record, with its steps if all of them check."""
