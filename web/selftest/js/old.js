/* Runs only where ES modules are unknown: such a browser cannot hold a video meeting either. */
var old = document.getElementById("old");
if (old) old.hidden = false;
