"""Readers: files of questions in several forms, each question a record with its steps where all of them check."""
