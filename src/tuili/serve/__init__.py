"""An OpenAI-compatible server over the engine: budgets in, receipts out."""
