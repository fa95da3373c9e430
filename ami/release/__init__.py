"""The release artefact: one tarball with all that images are baked from and stacks are launched with.

The same bytes come out whenever a commit is built again, in whatever folder and as whatever user. They depend on the
commit, which locks all packages by their hashes, on an index that has every file of the locked versions, and on two
programs that no lock names: CPython, whose zlib packs our own wheel, and Node, which builds the pages' scripts and
styles. Neither the clock nor the time zone, nor the umask, nor the order of a folder leaves a trace. A tree with
changes that are not committed is built too, for trying; its version ends in `-dirty`, and promises nothing.
"""
