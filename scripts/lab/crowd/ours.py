"""daemonctl's host, and the floor: floor/floor.c without and with capture of output."""
import glob
import os


class Contestant:
    """What every contestant can be asked; argv and environment for what is run as a command."""

    captures = True
    name = ""

    def prepare(self, arena):
        """Files, before the clock runs."""

    def start(self, arena):
        """Starts the supervisor, which starts everything."""

    def logs(self, arena):
        """The log files of all services."""
        return glob.glob(f"{arena.work}/**/current", recursive=True)

    def status(self, arena):
        raise NotImplementedError

    def count_up(self, text):
        raise NotImplementedError

    def stop(self, arena):
        raise NotImplementedError

    def stopped(self, arena):
        """After the stop command."""

    def clean(self, arena):
        """What is not in the arena's own folder."""


class Floor(Contestant):
    name = "floor"
    captures = False

    def __init__(self, binary):
        self.binary = binary

    def start(self, arena):
        logs = f"{arena.work}/logs" if self.captures else "-"
        arena.spawn([self.binary, "run", f"{arena.work}/sock", str(arena.count), logs, *arena.command])

    def prepare(self, arena):
        os.mkdir(f"{arena.work}/logs")

    def logs(self, arena):
        return glob.glob(f"{arena.work}/logs/*")

    def status(self, arena):
        return [self.binary, "ask", f"{arena.work}/sock", "status"], None

    def count_up(self, text):
        return text.count(" up ")

    def stop(self, arena):
        return [self.binary, "ask", f"{arena.work}/sock", "stop"], None


class FloorLog(Floor):
    name = "floor, capturing"
    captures = True


class Daemonctl(Contestant):
    """Services are installed and enabled; what is timed is its boot."""

    name = "daemonctl"

    def __init__(self, binary):
        self.binary = binary

    def prepare(self, arena):
        self.manifest = f"{arena.work}/crowd.toml"
        program, fifo = arena.command
        with open(self.manifest, "w", encoding="utf8") as file:
            file.write('manifest = 1\n[defaults]\nrestart = { policy = "always", delay = "0s" }\n')
            for number in range(arena.count):
                file.write(f'[service.s{number}]\nexec = ["{program}", "{fifo}"]\n')
        arena.run([self.binary, "install", "--quiet", "--no-start", self.manifest])
        arena.output([self.binary, "supervise", "--stop"])

    def start(self, arena):
        arena.spawn([self.binary, "supervise"])

    def logs(self, arena):
        return glob.glob("/var/log/daemonctl/s*/current.log")

    def status(self, arena):
        return [self.binary, "status"], None

    def count_up(self, text):
        return sum(" running " in line for line in text.splitlines())

    def stop(self, arena):
        return [self.binary, "stop", "--all", "--quiet"], None

    def start_again(self, arena):
        return [self.binary, "start", "--all", "--quiet"], None

    def clean(self, arena):
        arena.output([self.binary, "uninstall", "--purge", "--quiet", self.manifest])
        arena.output([self.binary, "supervise", "--stop"])
