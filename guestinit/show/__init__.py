"""Plans, reports and problems as people and programs read them: functions from records to text."""
