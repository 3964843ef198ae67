"""The forms that answers are put into: JSON of a schema, the parameters of a function, marked fields."""
