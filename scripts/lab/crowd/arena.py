"""Where a contestant runs, and how it is measured.

A contestant is told to run N copies of floor/child.c. Each writes its process id and the time of its main to one FIFO and
holds it open: starts are timed by who is started, and the end of the last child is the FIFO's hang-up. So nothing is
polled while something is measured, but for one look at the FIFO's length every 20 ms until all have come.
"""
import fcntl
import os
import select
import shutil
import signal
import statistics
import struct
import subprocess
import tempfile
import termios
import time

STAMP = struct.Struct("=qq")


class Failed(Exception):
    """A contestant did not do what it was asked; the text says what."""


class Cgroup:
    """Everything that a contestant starts, wherever it goes, and the kernel memory of that."""

    def __init__(self, name):
        mounts = [line.split() for line in open("/proc/self/mounts", encoding="utf8")]
        own = dict(line.strip().split(":", 2)[1:] for line in open("/proc/self/cgroup", encoding="utf8"))
        old = next((m[1] for m in mounts if m[2] == "cgroup" and "memory" in m[3].split(",")), None)
        new = next((m[1] for m in mounts if m[2] == "cgroup2"), None)
        if not (old or new):
            raise Failed("no control groups are mounted here")
        self.parent = (old or new) + own["memory" if old else ""].rstrip("/")
        self.path = f"{self.parent}/{name}"
        os.makedirs(self.path, exist_ok=True)

    def pids(self):
        return {int(line) for line in open(f"{self.path}/cgroup.procs", encoding="utf8")}

    def enter(self, inside):
        with open(f"{self.path if inside else self.parent}/cgroup.procs", "w", encoding="utf8") as file:
            file.write(str(os.getpid()))

    def kernel(self):
        """Bytes; None: this kernel does not tell."""
        try:
            return int(open(f"{self.path}/memory.kmem.usage_in_bytes", encoding="utf8").read())
        except OSError:
            pass
        try:
            lines = dict(line.split() for line in open(f"{self.path}/memory.stat", encoding="utf8"))
            return int(lines["kernel"])
        except (OSError, KeyError):
            return None

    def kill(self):
        while pids := self.pids() - {os.getpid()}:
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass


class Arena:
    """One contestant with one number of services, from its start to its end."""

    def __init__(self, contestant, count, child):
        self.contestant, self.count = contestant, count
        self.work = tempfile.mkdtemp(prefix="crowd.")
        self.fifo = f"{self.work}/stamps"
        os.mkfifo(self.fifo)
        self.reader = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(self.reader, 1031, 1 << 20)  # F_SETPIPE_SZ
        self.cgroup = Cgroup(f"crowd-{os.getpid()}-{os.path.basename(self.work)}")
        self.command = [child, self.fifo]
        self.children = set()
        self.log = open(f"{self.work}/contestant.log", "wb")

    def __enter__(self):
        self.contestant.prepare(self)
        self.cgroup.enter(True)
        return self

    def __exit__(self, *_):
        self.cgroup.enter(False)
        self.cgroup.kill()
        self.cgroup.remove()
        os.close(self.reader)
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)
        self.contestant.clean(self)

    # --- doing ---
    def spawn(self, argv, env=None, stdout=None):
        """As cheap as a process is made: vfork and exec."""
        streams = [(os.POSIX_SPAWN_DUP2, stdout or self.log.fileno(), 1), (os.POSIX_SPAWN_DUP2, self.log.fileno(), 2)]
        return os.posix_spawnp(argv[0], argv, {**os.environ, **(env or {})}, file_actions=streams)

    def run(self, argv, env=None, good=(0,)):
        """Milliseconds until it ended."""
        began = time.monotonic_ns()
        status = os.waitstatus_to_exitcode(os.waitpid(self.spawn(argv, env), 0)[1])
        took = time.monotonic_ns() - began
        if status not in good:
            raise Failed(f"exit {status}: {' '.join(argv)[:100]}: {self.said()}")
        return took / 1e6

    def output(self, argv, env=None):
        return subprocess.run(argv, env={**os.environ, **(env or {})}, capture_output=True, check=False).stdout.decode()

    def said(self):
        with open(self.log.name, "rb") as file:
            return file.read()[-300:].decode(errors="replace").strip().replace("\n", " | ")

    def stamps(self, least, patience):
        """Waits until there are so many, and reads them: process ids and times."""
        end = time.monotonic() + patience
        length = bytearray(4)
        while True:
            fcntl.ioctl(self.reader, termios.FIONREAD, length)
            if int.from_bytes(length, "little") >= least * STAMP.size:
                return list(STAMP.iter_unpack(os.read(self.reader, 1 << 20)))
            if time.monotonic() > end:
                raise Failed(f"{int.from_bytes(length, 'little') // STAMP.size} of {least} started: {self.said()}")
            time.sleep(0.02)

    # --- measuring ---
    def start(self):
        """Milliseconds from the start of the contestant to the main of its last service."""
        self.before = self.cgroup.kernel()
        began = time.monotonic_ns()
        self.contestant.start(self)
        stamps = self.stamps(self.count, 60)
        self.children = {pid for pid, _ in stamps}
        return (max(at for _, at in stamps) - began) / 1e6

    def supervisors(self):
        return self.cgroup.pids() - self.children - {os.getpid()}

    def pss(self):
        """Kilobytes of the supervisor's processes, without the services."""
        total = 0
        for pid in self.supervisors():
            for line in open(f"/proc/{pid}/smaps_rollup", encoding="utf8"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        return total

    def kernel(self):
        """Kilobytes of kernel memory since before the start; None: not told."""
        now = self.cgroup.kernel()
        return None if now is None or self.before is None else (now - self.before) / 1024

    def cpu(self, seconds):
        """Per cent of one processor that the supervisor spends while nothing happens."""
        def spent():
            total = 0
            for pid in self.supervisors():
                for task in os.listdir(f"/proc/{pid}/task"):
                    total += int(open(f"/proc/{pid}/task/{task}/schedstat", encoding="utf8").read().split()[0])
            return total

        before = spent()
        time.sleep(seconds)
        return (spent() - before) / seconds / 1e7

    def captured(self):
        """How many services have the line in their log that each wrote."""
        found = 0
        for path in self.contestant.logs(self):
            with open(path, "rb") as file:
                found += b"started" in file.read()
        return found

    def status(self, runs=9):
        """Milliseconds for the state of all: the median."""
        argv, env = self.contestant.status(self)
        with open(f"{self.work}/status", "ab+") as file:  # appended to, as who writes gets our place in it
            times = []
            for _ in range(runs):
                file.truncate(0)
                began = time.monotonic_ns()
                os.waitpid(self.spawn(argv, env, file.fileno()), 0)
                times.append((time.monotonic_ns() - began) / 1e6)
            file.seek(0)
            text = file.read().decode(errors="replace")
        up = self.contestant.count_up(text)
        if up != self.count:
            raise Failed(f"status shows {up} of {self.count} up: {text[:200]}")
        return statistics.median(times)

    def respawn(self, runs=20):
        """Milliseconds from kill -9 of a service to the main of the next: the median."""
        times = []
        for pid in sorted(self.children)[:runs]:
            began = time.monotonic_ns()
            os.kill(pid, signal.SIGKILL)
            if not select.select([self.reader], [], [], 10)[0]:
                raise Failed("a service that was killed was not started again")
            (new, at), = STAMP.iter_unpack(os.read(self.reader, STAMP.size))
            self.children.add(new)
            times.append((at - began) / 1e6)
            time.sleep(0.03)
        return statistics.median(times)

    def stop(self, patience=40):
        """Milliseconds until the last service was gone, and until the command returned."""
        poll = select.poll()
        poll.register(self.reader, 0)
        argv, env = self.contestant.stop(self)
        began = time.monotonic_ns()
        command = self.spawn(argv, env)
        if not poll.poll(patience * 1000):
            raise Failed(f"not all stopped within {patience} s")
        gone = time.monotonic_ns()
        os.waitpid(command, 0)
        back = time.monotonic_ns()
        self.contestant.stopped(self)
        return (gone - began) / 1e6, (back - began) / 1e6
