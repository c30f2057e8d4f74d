"""The supervisors that Debian, PyPI and npm offer, as `scripts/setup --bench` gets them. Each captures the output of every
service with what its manual shows for that: a logger for each, or itself."""
import json
import os
import shutil

from ours import Contestant


class Peer(Contestant):
    needs = ""
    env = None

    def __init__(self, peers):
        """`peers`: the folder of those that are not on the PATH."""

    def missing(self):
        """Why it cannot run here; None: it can."""
        if shutil.which(self.needs):
            return None
        return f"`{self.needs}` is not there: run scripts/setup --bench"


class Folders(Peer):
    """A folder with a script for each service, and one for its logger."""

    logger = ""

    def prepare(self, arena):
        for number in range(arena.count):
            folder = f"{arena.work}/all/s{number}"
            os.makedirs(f"{folder}/log/main")
            self.script(f"{folder}/run", f"exec 2>&1\nexec {' '.join(arena.command)}")
            self.script(f"{folder}/log/run", f"exec {self.logger} ./main")

    @staticmethod
    def script(path, text):
        with open(path, "w", encoding="utf8") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def folders(self, arena):
        return [f"{arena.work}/all/s{number}" for number in range(arena.count)]


class Runit(Folders):
    name = "runit + svlogd"
    needs = "runsvdir"
    logger = "svlogd"

    def start(self, arena):
        arena.spawn(["runsvdir", "-P", f"{arena.work}/all"])

    def status(self, arena):
        return ["sv", "status", *self.folders(arena)], None

    def count_up(self, text):
        return sum(line.startswith("run: ") for line in text.splitlines())

    def stop(self, arena):
        return ["sv", "-w", "30", "stop", *self.folders(arena)], None


class S6(Folders):
    name = "s6 + s6-log"
    needs = "s6-svscan"
    logger = "s6-log t"

    def start(self, arena):
        arena.spawn(["s6-svscan", "-c", str(arena.count + 100), f"{arena.work}/all"])

    def status(self, arena):
        script = f"cd {arena.work}/all; for s in *; do s6-svstat $s; done"
        return ["sh", "-c", script], None

    def count_up(self, text):
        return sum(line.startswith("up ") for line in text.splitlines())

    def stop(self, arena):
        return ["s6-svscanctl", "-t", f"{arena.work}/all"], None


class Daemontools(Folders):
    name = "daemontools + multilog"
    needs = "svscan"
    logger = "multilog t"

    def start(self, arena):
        arena.spawn(["svscan", f"{arena.work}/all"])

    def status(self, arena):
        return ["svstat", *self.folders(arena)], None

    def count_up(self, text):
        return sum(": up " in line for line in text.splitlines())

    def stop(self, arena):
        return ["svc", "-d", *self.folders(arena)], None


class Supervisor(Peer):
    name = "supervisor"

    def __init__(self, peers):
        super().__init__(peers)
        self.needs = f"{peers}/supervisor/bin/supervisord"
        self.control = f"{peers}/supervisor/bin/supervisorctl"

    def prepare(self, arena):
        self.conf = f"{arena.work}/conf"
        os.mkdir(f"{arena.work}/logs")
        with open(self.conf, "w", encoding="utf8") as file:
            file.write(f"""[supervisord]
nodaemon = true
minfds = 16384
logfile = {arena.work}/supervisord.log
pidfile = {arena.work}/pid
[unix_http_server]
file = {arena.work}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{arena.work}/sock
""")
            for number in range(arena.count):
                file.write(f"[program:s{number}]\ncommand = {' '.join(arena.command)}\nstartsecs = 0\n"
                           f"redirect_stderr = true\nstdout_logfile = {arena.work}/logs/s{number}/current\n")
                os.mkdir(f"{arena.work}/logs/s{number}")

    def start(self, arena):
        arena.spawn([self.needs, "-c", self.conf])

    def status(self, arena):
        return [self.control, "-c", self.conf, "status"], None

    def count_up(self, text):
        return sum(" RUNNING " in line for line in text.splitlines())

    def stop(self, arena):
        return [self.control, "-c", self.conf, "stop", "all"], None


class Pm2(Peer):
    name = "pm2"

    def __init__(self, peers):
        super().__init__(peers)
        self.needs = f"{peers}/pm2/node_modules/.bin/pm2"

    def prepare(self, arena):
        self.env = {"PM2_HOME": f"{arena.work}/pm2"}
        self.file = f"{arena.work}/crowd.json"
        program, fifo = arena.command
        apps = [
            {"name": f"s{number}", "script": program, "args": [fifo], "interpreter": "none", "exec_mode": "fork",
             "out_file": f"{arena.work}/logs/s{number}/current", "error_file": f"{arena.work}/logs/s{number}/errors"}
            for number in range(arena.count)
        ]
        with open(self.file, "w", encoding="utf8") as file:
            json.dump({"apps": apps}, file)

    def start(self, arena):
        arena.spawn([self.needs, "start", self.file], self.env)

    def status(self, arena):
        return [self.needs, "list"], self.env

    def count_up(self, text):
        return text.count("online")

    def stop(self, arena):
        return [self.needs, "stop", "all"], self.env


ALL = [Runit, S6, Daemontools, Supervisor, Pm2]
