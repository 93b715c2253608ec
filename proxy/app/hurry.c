/* The signals of a command that waits. */
#include "app/hurry.h"

#include <stddef.h>

static const int signals[] = {SIGINT, SIGTERM};
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction former[SIGNALS];
static volatile sig_atomic_t hurried;

static void on_signal(int number) {
    (void)number;
    hurried = 1;
}

/* Without SA_RESTART: waiting is what they end. */
const volatile sig_atomic_t *cg_hurry_begin(void) {
    const struct sigaction action = {.sa_handler = on_signal};
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, &former[i]);
    return &hurried;
}

void cg_hurry_end(void) {
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], &former[i], NULL);
}
