"""The sixteen built-in domains, one file each."""
