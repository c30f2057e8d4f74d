/* logwriter - a program that writes numbered lines of 100 bytes, as fast as it is read.
 *
 * usage: logwriter bulk|line BYTES STAMP_FILE [HOLD_SECONDS [REST_MS]]
 *
 * `bulk` writes 65,000 bytes at once, as a program with a full buffer does; `line` each line by itself, as most do. The
 * time of the first write (CLOCK_MONOTONIC, ns) goes to STAMP_FILE before it. The last line is the one with the number
 * BYTES / 100. HOLD_SECONDS keeps it alive after that, for loggers that end with it. REST_MS is how long
 * it waits behind its first write, before the time that it stamps. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { LINE = 100, LINES = 650 };

static void put(const char *bytes, size_t count) {
    while (count) {
        ssize_t done = write(1, bytes, count);
        if (done < 0 && errno != EINTR) exit(1);
        if (done > 0) bytes += done, count -= done;
    }
}

static void tell_time(const char *path) {
    struct timespec now;
    FILE *stamp = fopen(path, "w");
    if (!stamp) perror(path), exit(1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(stamp, "%lld\n", now.tv_sec * 1000000000LL + now.tv_nsec);
    fclose(stamp);
}

int main(int argc, char **argv) {
    static char text[LINE * LINES];
    if (argc < 4) return fprintf(stderr, "usage: logwriter bulk|line BYTES STAMP_FILE [HOLD_SECONDS [REST_MS]]\n"), 2;
    unsigned long lines = strtoull(argv[2], NULL, 10) / LINE, number = 0, at_once = argv[1][0] == 'b' ? LINES : 1;
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < LINES; i++) text[i * LINE + 10] = ' ', text[i * LINE + LINE - 1] = '\n';
    long rest = argc > 5 ? atol(argv[5]) : 0;
    if (!rest) tell_time(argv[3]);
    while (number < lines) {
        unsigned long count = lines - number < at_once ? lines - number : at_once;
        for (unsigned long i = 0; i < count; i++) {
            unsigned long value = ++number;
            for (int digit = 9; digit >= 0; digit--) text[i * LINE + digit] = '0' + value % 10, value /= 10;
        }
        put(text, count * LINE);
        if (rest) {
            nanosleep(&(struct timespec){rest / 1000, rest % 1000 * 1000000}, NULL);
            tell_time(argv[3]);
            rest = 0;
        }
    }
    if (argc > 4) sleep(atoi(argv[4]));
    return 0;
}
