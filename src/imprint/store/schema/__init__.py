"""Tables, the statements made of them, and the migrations that lead to them."""
