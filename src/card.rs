//! Draws the card: the JPEG that says "no live picture" and why.
