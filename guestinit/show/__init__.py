"""Plans, reports and problems as people and programs read them. Functions from records to text; nothing is written here."""
