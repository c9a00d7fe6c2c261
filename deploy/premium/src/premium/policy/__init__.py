"""What an operator does with policies: check one, see what its calendars bring, put it in force."""
