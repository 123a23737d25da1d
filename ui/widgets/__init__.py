"""Parts of the screen. Each draws what it was last told, and draws it again when the look changes."""
