"""Item -> request, reply -> record, records -> metrics."""
