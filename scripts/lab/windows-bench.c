/* windows-bench - what `scripts/bench-windows` measures with, in one program, for mingw:
 *
 *   child FILE                 writes "PID MICROSECONDS" (of the performance counter) to FILE, then waits
 *   flood FILE LINES LENGTH    writes so many numbered lines to standard output, then the same
 *   floor NAME FILE            the least that a service host can be: starts `child FILE`, and again when it ends
 *   measure NAME FILE RUNS COMMAND-LINE
 *                              makes the service, and prints the median microseconds from its start to the child's
 *                              first instruction, and from the child's end to the next child's
 *   hold NAME FILE COMMAND-LINE    makes and starts it, and prints the pid of its host and the time its FILE took
 *   drop NAME                  stops and deletes it
 */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

static long long now(void) {
    LARGE_INTEGER count, frequency;
    QueryPerformanceCounter(&count);
    QueryPerformanceFrequency(&frequency);
    return count.QuadPart / (frequency.QuadPart / 1000000);
}

static void die(const char *what) {
    fprintf(stderr, "%s: error %lu\n", what, GetLastError());
    exit(1);
}

static void stamp(const wchar_t *file) {
    wchar_t beside[MAX_PATH];
    char text[64];
    DWORD written;
    int length = snprintf(text, sizeof text, "%lu %lld\n", GetCurrentProcessId(), now());
    swprintf(beside, MAX_PATH, L"%ls.%lu", file, GetCurrentProcessId());
    HANDLE out = CreateFile(beside, GENERIC_WRITE, 0, NULL, CREATE_ALWAYS, 0, NULL);
    if (out == INVALID_HANDLE_VALUE) die("stamp");
    WriteFile(out, text, length, &written, NULL);
    CloseHandle(out);
    if (!MoveFileEx(beside, file, MOVEFILE_REPLACE_EXISTING)) die("stamp");
}

/* Waits for a stamp of another process than `not`. */
static long long stamped(const wchar_t *file, DWORD not, DWORD *pid) {
    for (ULONGLONG end = GetTickCount64() + 240000; GetTickCount64() < end;) { /* a flood takes its time */
        FILE *in = _wfopen(file, L"r");
        unsigned long found;
        long long at;
        if (in) {
            int read = fscanf(in, "%lu %lld", &found, &at);
            fclose(in);
            if (read == 2 && found != not) {
                *pid = found;
                return at;
            }
        }
        Sleep(1);
    }
    fprintf(stderr, "no child within four minutes\n");
    exit(1);
}

static SERVICE_STATUS_HANDLE handle;
static HANDLE stop;
static wchar_t **arguments;

static void tell(DWORD state) {
    SERVICE_STATUS status = {SERVICE_WIN32_OWN_PROCESS, state, SERVICE_ACCEPT_STOP, 0, 0, 0, 0};
    SetServiceStatus(handle, &status);
}

static DWORD WINAPI control(DWORD code, DWORD type, void *data, void *context) {
    if (code == SERVICE_CONTROL_STOP) SetEvent(stop);
    return NO_ERROR;
}

static void WINAPI service(DWORD count, wchar_t **names) {
    wchar_t own[MAX_PATH], line[2 * MAX_PATH];
    handle = RegisterServiceCtrlHandlerEx(L"", control, NULL);
    stop = CreateEvent(NULL, TRUE, FALSE, NULL);
    GetModuleFileName(NULL, own, MAX_PATH);
    tell(SERVICE_RUNNING);
    for (;;) {
        STARTUPINFO startup = {sizeof startup};
        PROCESS_INFORMATION child;
        swprintf(line, 2 * MAX_PATH, L"\"%ls\" child \"%ls\"", own, arguments[3]);
        if (!CreateProcess(NULL, line, NULL, NULL, FALSE, CREATE_NO_WINDOW, NULL, NULL, &startup, &child)) break;
        HANDLE either[2] = {stop, child.hProcess};
        DWORD which = WaitForMultipleObjects(2, either, FALSE, INFINITE);
        if (which == WAIT_OBJECT_0) TerminateProcess(child.hProcess, 1);
        CloseHandle(child.hProcess);
        CloseHandle(child.hThread);
        if (which == WAIT_OBJECT_0) break;
    }
    tell(SERVICE_STOPPED);
}

static SC_HANDLE make(const wchar_t *name, const wchar_t *line) {
    SC_HANDLE manager = OpenSCManager(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    SC_HANDLE made = CreateService(manager, name, name, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                   SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, NULL, NULL);
    if (!made) die("CreateService");
    return made;
}

static SERVICE_STATUS_PROCESS state(SC_HANDLE of) {
    SERVICE_STATUS_PROCESS status;
    DWORD needed;
    if (!QueryServiceStatusEx(of, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &needed)) die("query");
    return status;
}

static void until(SC_HANDLE of, DWORD wanted) {
    for (int tries = 0; state(of).dwCurrentState != wanted; tries++) {
        if (tries > 30000) {
            fprintf(stderr, "it never came to state %lu\n", wanted);
            exit(1);
        }
        Sleep(1);
    }
}

static int by_size(const void *a, const void *b) {
    long long one = *(const long long *)a, other = *(const long long *)b;
    return (one > other) - (one < other);
}

int wmain(int count, wchar_t **args) {
    SERVICE_STATUS ignored;
    DWORD pid = 0;
    arguments = args;
    if (count >= 3 && !wcscmp(args[1], L"child")) {
        stamp(args[2]);
        Sleep(INFINITE);
    } else if (count >= 5 && !wcscmp(args[1], L"flood")) {
        int lines = _wtoi(args[3]), length = _wtoi(args[4]), filled = 0;
        char *piece = malloc(65536 + length);
        HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
        DWORD written;
        for (int line = 1; line <= lines; line++) {
            int number = sprintf(piece + filled, "%d ", line);
            memset(piece + filled + number, 'x', length - number - 1);
            piece[filled + length - 1] = '\n';
            filled += length;
            if (filled >= 65536 - length || line == lines) {
                for (int from = 0; from < filled; from += written)
                    if (!WriteFile(out, piece + from, filled - from, &written, NULL)) die("write");
                filled = 0;
            }
        }
        stamp(args[2]);
        Sleep(INFINITE);
    } else if (count >= 4 && !wcscmp(args[1], L"floor")) {
        SERVICE_TABLE_ENTRY table[] = {{L"", service}, {NULL, NULL}};
        if (!StartServiceCtrlDispatcher(table)) die("dispatcher");
    } else if (count >= 6 && !wcscmp(args[1], L"measure")) {
        int runs = _wtoi(args[4]);
        long long *starts = calloc(runs, sizeof *starts), *respawns = calloc(runs, sizeof *respawns);
        SC_HANDLE made = make(args[2], args[5]);
        for (int run = 0; run < runs; run++) {
            DeleteFile(args[3]);
            long long begun = now();
            if (!StartService(made, 0, NULL)) die("StartService");
            starts[run] = stamped(args[3], 0, &pid) - begun;
            until(made, SERVICE_RUNNING);
            Sleep(300); /* a host may only now be looking */
            HANDLE child = OpenProcess(PROCESS_TERMINATE, FALSE, pid);
            begun = now();
            if (!TerminateProcess(child, 1)) die("TerminateProcess");
            CloseHandle(child);
            respawns[run] = stamped(args[3], pid, &pid) - begun;
            ControlService(made, SERVICE_CONTROL_STOP, &ignored);
            until(made, SERVICE_STOPPED);
        }
        DeleteService(made);
        qsort(starts, runs, sizeof *starts, by_size);
        qsort(respawns, runs, sizeof *respawns, by_size);
        printf("%lld %lld\n", starts[runs / 2], respawns[runs / 2]);
    } else if (count >= 5 && !wcscmp(args[1], L"hold")) {
        SC_HANDLE made = make(args[2], args[4]);
        DeleteFile(args[3]);
        long long begun = now();
        if (!StartService(made, 0, NULL)) die("StartService");
        long long took = stamped(args[3], 0, &pid) - begun;
        until(made, SERVICE_RUNNING);
        printf("%lu %lld\n", state(made).dwProcessId, took);
    } else if (count >= 3 && !wcscmp(args[1], L"drop")) {
        SC_HANDLE manager = OpenSCManager(NULL, NULL, SC_MANAGER_ALL_ACCESS);
        SC_HANDLE found = OpenService(manager, args[2], SERVICE_ALL_ACCESS);
        if (!found) die("OpenService");
        ControlService(found, SERVICE_CONTROL_STOP, &ignored);
        until(found, SERVICE_STOPPED);
        DeleteService(found);
    } else {
        fprintf(stderr, "see the head of windows-bench.c\n");
        return 2;
    }
    return 0;
}
