"""What remembering means, free of vendors: types, extraction, reconciliation, recall, redaction."""
