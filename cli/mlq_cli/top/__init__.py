"""`mlq top`, a live screen of the queue.

Three kinds of modules, so that each can be understood and tested alone. `snapshot`, `work`,
`hosts`, `detail`, `header`, `bars`, `proposals`, `scene` and `frame` are pure: they turn what was
read into lines of text. `watches` asks the queue and the results root in threads that may hang
(`asking`, `job_files`). `screen` draws with textual, which nothing outside that folder imports.
"""
