"""The nouns of guestinit: records without input or output. Nothing here imports anything of ours but this room."""
