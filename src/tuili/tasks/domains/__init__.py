"""The built-in domains, each a file or a package of its own."""
