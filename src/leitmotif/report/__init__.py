"""The listening report: one folder of static pages that opens from the file system.

The pages need no server. They are plain HTML with one script and one style sheet. Sounds are stored
as scripts, because a page that is opened as a file may load scripts but not fetch files.
"""
