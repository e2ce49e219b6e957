"""The debugger on the screen (Textual). Draws rows and passes commands to the session; decides nothing."""
