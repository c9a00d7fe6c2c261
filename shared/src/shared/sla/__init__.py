"""How promises on tickets stand: rules that several services share."""
