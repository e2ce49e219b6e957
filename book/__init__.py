"""What the book takes from the code, so that it cannot drift: keys, rules, commands, screens, and what commands print.

A page asks for it by comments on lines of their own and by fenced blocks:

<!-- book: keys -->                     a part that `book.parts` writes
<!-- book: section FILE | HEADING -->   a section of README.md or CONTRIBUTING.md
<!-- screen: FILE --press 'c M' | … --> the debugger's screen after these keys, drawn
```console                              commands after `$ `, run; their output is put beneath them
```toml title="hello.toml"              a file that these commands find in their folder
"""
