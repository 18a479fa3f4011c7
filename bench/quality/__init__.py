"""How good OpsPilot is: labelled incidents and series, answered by the product and scored here."""
