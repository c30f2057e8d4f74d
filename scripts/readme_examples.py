"""readme_examples - runs README.md's examples, so that they stay true.

usage: readme_examples.py [FILE...]     (scripts/readme-examples builds first, and keeps the machine as it was)

An HTML comment on the line before a fenced block says what is done with it:

  <!-- test -->             ```sh: bash runs it whole, and it must exit 0.
                            ```console: each `$ command` must exit 0 (or N, after `# exit N`) and print the lines below
                            it, where `...` stands for any text, and as a line of its own for any lines. Without lines
                            below, any output will do. A line ending in `\\` goes on in the next.
  <!-- manifest -->         ```toml: `daemonctl check` accepts it.
  <!-- manifest NAME -->    the same, and it stays as the file NAME for the blocks that follow.

All run in order in one empty folder, with `daemonctl` and `testchild` in PATH; as root on Linux in a throw-away machine.
"""
import os, re, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.realpath(__file__))
REPO = os.path.dirname(HERE)


def blocks(path):
    """(line number, kind, its argument, language, text) of each marked block."""
    lines = open(path, encoding="utf-8").read().split("\n")
    i = 0
    while i < len(lines):
        mark = re.fullmatch(r"<!-- (test|manifest)(?: (\S+))? -->", lines[i].strip())
        fence = mark and i + 1 < len(lines) and re.fullmatch(r"```(\w+)", lines[i + 1].strip())
        if mark and not fence:
            sys.exit(f"{path}:{i + 1}: the mark has no fenced block after it")
        if mark:
            end = next((n for n in range(i + 2, len(lines)) if lines[n].strip() == "```"), None)
            if end is None:
                sys.exit(f"{path}:{i + 2}: the block does not end")
            yield i + 2, mark[1], mark[2], fence[1], "\n".join(lines[i + 2 : end]) + "\n"
            i = end
        i += 1


def run(script):
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, text=True, errors="replace")
    return done.returncode, done.stdout


def matches(wanted, got):
    """Whether the text `got` fits the lines `wanted`."""
    parts = []
    for line in wanted:
        if line.strip() == "...":
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.rstrip().split("...")) + r"[ \t]*\n")
    return re.fullmatch("".join(parts), got if got.endswith("\n") or not got else got + "\n") is not None


def commands(text):
    """(command, wanted exit status, wanted lines) of a console block."""
    found = []
    lines = iter(text.rstrip("\n").split("\n"))
    for line in lines:
        if line.startswith(("$ ", "# ")):
            command = line[2:]
            while command.endswith("\\"):
                command = command[:-1] + next(lines)
            status = re.search(r"\s# exit (\d+)$", command)
            found.append((command, int(status[1]) if status else 0, []))
        elif found:
            found[-1][2].append(line)
        else:
            raise ValueError("the first line is no `$ command`")
    return found


def fails(kind, name, language, text):
    """What is wrong with a block, or None."""
    if kind == "manifest":
        name = name or "example.toml"
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
        status, output = run(f"daemonctl check {name}")
        return None if status == 0 else f"daemonctl check: exit {status}\n{output}"
    if language in ("sh", "bash"):
        status, output = run(text)
        return None if status == 0 else f"exit {status}\n{output}"
    if language != "console":
        return f"a block of `{language}` cannot be tested"
    for command, wanted, lines in commands(text):
        status, output = run(command)
        if status != wanted:
            return f"$ {command}\nexit {status}, not {wanted}\n{output}"
        if lines and not matches(lines, output):
            return f"$ {command}\n--- the file says\n" + "\n".join(lines) + f"\n--- it printed\n{output}"
    return None


def main():
    if len(sys.argv) > 1 and sys.argv[1] in ("-h", "--help"):
        print(__doc__, end="")
        return 0
    files = [os.path.abspath(file) for file in sys.argv[1:]] or [os.path.join(REPO, "README.md")]
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    ran = failed = 0
    try:
        for path in files:
            for line, kind, name, language, text in blocks(path):
                ran += 1
                try:
                    why = fails(kind, name, language, text)
                except subprocess.TimeoutExpired:
                    why = "not done in 120 s"
                except ValueError as error:
                    why = str(error)
                if why:
                    failed += 1
                    print(f"FAILED {os.path.basename(path)}:{line}: {why}")
    finally:
        os.chdir("/")
        shutil.rmtree(folder)
    if ran == 0:
        print("no block is marked")
        return 1
    print(f"{ran - failed} examples hold, {failed} do not")
    return 1 if failed else 0


sys.exit(main())
