"""What one transaction writes, by what it writes."""
