/* child - a service that does nothing but say when its main began.
 *
 * usage: child FIFO
 *
 * It writes one line to its standard output, and its process id and the time (CLOCK_MONOTONIC, nanoseconds) to FIFO,
 * which it then keeps open: who reads the FIFO hears of each start as it happens, and of the end of the last. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    long long stamp[2] = {getpid(), time.tv_sec * 1000000000ll + time.tv_nsec};
    int fifo = argc == 2 ? open(argv[1], O_WRONLY) : -1;
    if (fifo < 0 || write(1, "started\n", 8) != 8 || write(fifo, stamp, sizeof stamp) != sizeof stamp) return 1;
    for (;;) pause();
}
