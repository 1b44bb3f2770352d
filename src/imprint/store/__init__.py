"""What survives a restart. The only owner of sqlalchemy."""
