"""One module for each page. A page that exists is in `ui.window.PAGES`, and in the tab bar once there are two."""
