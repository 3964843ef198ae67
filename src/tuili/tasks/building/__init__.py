"""What domains share: quantities, figures, times, words, and the steps of written arithmetic."""
