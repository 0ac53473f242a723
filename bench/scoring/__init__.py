"""Item -> request, scores -> record, records -> numbers."""
