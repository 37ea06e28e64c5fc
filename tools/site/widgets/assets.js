// Where the fonts of the widgets are: beside this file.
window.__jupyter_widgets_assets_path__ = new URL("./", document.currentScript.src).href;
