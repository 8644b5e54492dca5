"""What verbs share: progress, tables, findings, errors."""
