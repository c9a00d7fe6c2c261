"""What two services need: the contracts, delivery, and the life of a process."""
