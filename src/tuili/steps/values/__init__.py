"""The exact values of terms: their types, how terms are evaluated, and how values are compared and written."""
