"""Other harnesses: their model interfaces over our engines, their tasks in our form."""
