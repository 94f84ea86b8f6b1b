"""Where the music comes from: composed, a folder, or MTG-Jamendo; verified before it is used."""
