"""The listening report: one folder of static pages that opens from the file system.

Nothing in it asks a server for anything. Pages are plain HTML with one script and one style sheet;
sounds lie beside them as scripts, because that is what a page that was opened as a file may load.
"""
