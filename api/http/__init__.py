"""Plain HTTP: the guards in front of every route, and how an error becomes an answer."""
