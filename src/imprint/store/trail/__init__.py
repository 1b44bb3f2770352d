"""The audit trail: a chain of hashes over every row, and what finds it broken."""
