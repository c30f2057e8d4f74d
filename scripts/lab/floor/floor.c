/* floor - the least that a supervisor can be: what daemonctl's host is measured against.
 *
 * usage: floor run SOCKET COUNT LOGS PROGRAM [ARG...]     COUNT copies of PROGRAM; LOGS is a folder, or - for no capture
 *        floor ask SOCKET status|stop                     a table of all; the end of all, and then of the supervisor
 *
 * One process and one epoll: a pipe for each child, read into one buffer and appended to LOGS/NUMBER; ends are seen
 * by signalfd, and what ended is started again at once. No configuration, no rotation, no state on disk, no order. */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct unit { pid_t pid; int pipe, log; long started; };

static struct unit *units;
static int count, alive, stopping, loop, null_fd, logs_fd = -1, asker = -1;
static char **program, buffer[65536];
static sigset_t nothing;

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void watch(int fd, unsigned tag)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = tag};
    if (epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0) err(1, "epoll_ctl");
}

static void start(int number)
{
    struct unit *unit = &units[number];
    int pipes[2] = {-1, null_fd};
    if (logs_fd >= 0 && pipe2(pipes, O_CLOEXEC) < 0) err(1, "pipe2");
    pid_t pid = vfork();
    if (pid < 0) err(1, "vfork");
    if (pid == 0) {
        setsid();
        sigprocmask(SIG_SETMASK, &nothing, NULL);
        dup2(null_fd, 0);
        dup2(pipes[1], 1);
        dup2(pipes[1], 2);
        execv(program[0], program);
        _exit(127);
    }
    if (logs_fd >= 0) {
        close(pipes[1]);
        fcntl(pipes[0], F_SETFL, O_NONBLOCK);
        watch(pipes[0], number);
    }
    unit->pid = pid;
    unit->pipe = pipes[0];
    unit->started = now();
    alive++;
}

static void capture(int number)
{
    struct unit *unit = &units[number];
    ssize_t size = read(unit->pipe, buffer, sizeof buffer);
    if (size > 0) {
        if (unit->log < 0) {
            char name[16];
            snprintf(name, sizeof name, "%d", number);
            unit->log = openat(logs_fd, name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
        }
        if (write(unit->log, buffer, size) != size) warn("log %d", number);
    } else if (size == 0) {
        close(unit->pipe); /* which takes it out of the epoll, too */
        unit->pipe = -1;
    }
}

static void reap(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        int number = 0;
        while (number < count && units[number].pid != pid) number++;
        if (number == count) continue;
        alive--;
        units[number].pid = 0;
        if (units[number].pipe >= 0) capture(number);
        if (units[number].pipe >= 0) close(units[number].pipe);
        units[number].pipe = -1;
        if (!stopping) start(number);
    }
    if (stopping && alive == 0) {
        if (asker >= 0 && write(asker, "stopped\n", 8) != 8) warn("answer");
        exit(0);
    }
}

static void answer(int listener)
{
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ssize_t size = client < 0 ? -1 : read(client, buffer, sizeof buffer);
    if (size > 0 && buffer[0] == 's' && buffer[2] == 'o') {
        stopping = 1;
        asker = client;
        for (int number = 0; number < count; number++)
            if (units[number].pid) kill(units[number].pid, SIGTERM);
        return;
    }
    if (size > 0) {
        char *text = malloc(count * 48 + 1), *end = text;
        long time = now();
        for (int number = 0; number < count; number++)
            end += sprintf(end, "%d up %d %ld\n", number, units[number].pid, time - units[number].started);
        for (char *from = text; from < end; from += size)
            if ((size = write(client, from, end - from)) <= 0) break;
        free(text);
    }
    if (client >= 0) close(client);
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    return address;
}

static int ask(const char *path, const char *what)
{
    struct sockaddr_un to = address(path);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    ssize_t size;
    if (connect(server, (void *)&to, sizeof to) < 0) err(1, "%s", path);
    if (write(server, what, strlen(what)) < 0) err(1, "ask");
    while ((size = read(server, buffer, sizeof buffer)) > 0)
        if (write(1, buffer, size) != size) err(1, "answer");
    return size < 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "ask")) return ask(argv[2], argv[3]);
    if (argc < 6 || strcmp(argv[1], "run")) errx(2, "usage: run SOCKET COUNT LOGS PROGRAM [ARG...] | ask SOCKET status|stop");
    count = atoi(argv[3]);
    program = argv + 5;
    units = calloc(count, sizeof *units);
    for (int number = 0; number < count; number++) units[number].log = units[number].pipe = -1;
    if (strcmp(argv[4], "-") && (logs_fd = open(argv[4], O_DIRECTORY | O_CLOEXEC)) < 0) err(1, "%s", argv[4]);
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    loop = epoll_create1(EPOLL_CLOEXEC);

    sigset_t child;
    sigemptyset(&nothing);
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigprocmask(SIG_BLOCK, &child, NULL);
    int signals = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    watch(signals, count);

    struct sockaddr_un at = address(argv[2]);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (void *)&at, sizeof at) < 0 || listen(listener, 64) < 0) err(1, "%s", argv[2]);
    watch(listener, count + 1);

    for (int number = 0; number < count; number++) start(number);
    for (;;) {
        struct epoll_event events[64];
        int ready = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int tag = events[i].data.u32;
            struct signalfd_siginfo info;
            if (tag < count) {
                if (units[tag].pipe >= 0) capture(tag);
            } else if (tag == count) {
                while (read(signals, &info, sizeof info) > 0) {}
                reap();
            } else {
                answer(listener);
            }
        }
    }
}
