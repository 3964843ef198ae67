"""The built-in domains, each in its own file or package."""
