/* logfloor - the least that a capturing logger does: the floor that scripts/bench measures others against.
 *
 * usage: logfloor DIR MAX_BYTES KEEP -- COMMAND...
 *
 * Runs COMMAND with its output in a pipe of 1 MiB; what comes is read into one buffer and written to DIR/current in one
 * call. After a short read it waits 500 us, so that the next one finds more than a line. A file that would pass
 * MAX_BYTES is closed behind its last whole line, renamed DIR/NUMBER, and the oldest beyond KEEP is deleted.
 * Prints the CPU seconds that it used itself. Errors end it: it is a floor, not a logger. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char buffer[256 * 1024];
static int file = -1, number, keep;
static size_t size, most;
static const char *folder;

static void die(const char *what) { perror(what); exit(1); }

static void put(const char *bytes, size_t count) {
    while (count) {
        ssize_t done = write(file, bytes, count);
        if (done < 0) die("write");
        bytes += done, count -= done, size += done;
    }
}

static void fresh(void) {
    char path[4096];
    snprintf(path, sizeof path, "%s/current", folder);
    if (file >= 0) {
        char old[4128];
        close(file);
        snprintf(old, sizeof old, "%s/%08d", folder, ++number);
        if (rename(path, old)) die("rename");
        snprintf(old, sizeof old, "%s/%08d", folder, number - keep);
        if (number > keep) unlink(old);
    }
    file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (file < 0) die(path);
    size = 0;
}

static void log_it(const char *bytes, size_t count) {
    while (size + count > most) {
        const char *end = size < most ? memrchr(bytes, '\n', most - size) : NULL;
        size_t part = end ? (size_t)(end + 1 - bytes) : 0;
        if (!part && !size) break; /* one line that is larger than a file */
        put(bytes, part);
        bytes += part, count -= part;
        fresh();
    }
    put(bytes, count);
}

int main(int argc, char **argv) {
    int ends[2];
    if (argc < 6 || strcmp(argv[4], "--")) return fprintf(stderr, "usage: logfloor DIR MAX_BYTES KEEP -- COMMAND...\n"), 2;
    folder = argv[1], most = strtoull(argv[2], NULL, 10), keep = atoi(argv[3]);
    if (pipe2(ends, O_CLOEXEC)) die("pipe");
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    fresh();
    pid_t child = fork();
    if (child < 0) die("fork");
    if (!child) {
        dup2(ends[1], 1), dup2(ends[1], 2);
        execvp(argv[5], argv + 5);
        die(argv[5]);
    }
    close(ends[1]);
    for (;;) {
        ssize_t count = read(ends[0], buffer, sizeof buffer);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) die("read");
        if (!count) break;
        log_it(buffer, count);
        if ((size_t)count < sizeof buffer) nanosleep(&(struct timespec){0, 500000}, NULL);
    }
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    printf("%.3f\n", used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
    waitpid(child, NULL, 0);
    return 0;
}
