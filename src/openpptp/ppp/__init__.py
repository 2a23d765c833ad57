"""What two ends of a PPP link say to each other; pure state machines."""
