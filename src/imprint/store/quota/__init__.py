"""How much of the workspace a tenant may take: what it holds, and how often it asks."""
