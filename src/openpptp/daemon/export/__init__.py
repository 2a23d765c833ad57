"""Ready-made settings for the clients people have, as the server's own settings demand."""
