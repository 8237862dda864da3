/* Process groups that must not outlive us, readable from a signal handler. */
#include <signal.h>
#include <stdatomic.h>

#include "base/base.h"

#define SLOTS 1024
static atomic_int group[SLOTS];

bool sgs_child_add(int pid)
{
    for (int i = 0; i < SLOTS; i++) {
        int none = 0;
        if (atomic_compare_exchange_strong(&group[i], &none, pid))
            return true;
    }
    return false;
}

void sgs_child_remove(int pid)
{
    for (int i = 0; i < SLOTS; i++) {
        int expected = pid;
        if (atomic_compare_exchange_strong(&group[i], &expected, 0))
            return;
    }
}

void sgs_child_kill_all(void)
{
    for (int i = 0; i < SLOTS; i++) {
        const int pid = atomic_load(&group[i]);
        if (pid > 0)
            kill(-pid, SIGKILL);
    }
}
