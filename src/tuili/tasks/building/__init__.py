"""What domains share: levels, written arithmetic, quantities, figures, probability, dates, words and sentences."""
