"""How fast documents are filtered, and how much memory that takes, at sizes of which the last is a real corpus'."""
