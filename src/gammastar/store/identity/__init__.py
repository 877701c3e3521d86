"""Who is who: check digits of public identifiers, and which asset of one table is which of another, with the evidence and a confidence."""
