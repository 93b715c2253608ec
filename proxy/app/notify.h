/* What the service manager is told (sd_notify(3)): that the gateway serves, reads its settings, ends, and that its loop
 * still turns. Without a service manager all of it does nothing. */
#ifndef CG_APP_NOTIFY_H
#define CG_APP_NOTIFY_H

#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include "base/err.h"

#define CG_NOTIFY_OWED 4
#define CG_NOTIFY_MAX  256 /* bytes of what is told at once */

/* Must not move between open and close. */
struct cg_notify {
    int fd; /* -1: there is nobody to tell */
    struct sockaddr_un to;
    socklen_t to_len;
    uint64_t watchdog_ms; /* how often the loop shows that it turns; 0: nobody looks */
    uv_timer_t watchdog, retry;
    char owed[CG_NOTIFY_OWED][CG_NOTIFY_MAX]; /* what the manager had no room for, oldest first */
    unsigned owed_count;
};

/* From the environment, which has nothing of it afterwards: whoever is started by us is not the service. To be called
 * before there are threads. */
void cg_notify_init(struct cg_notify *notify);
void cg_notify_fini(struct cg_notify *notify);

void cg_notify_open(struct cg_notify *notify, uv_loop_t *uv);
void cg_notify_close(struct cg_notify *notify); /* on the loop; what is told from here on is told at once or never */

/* The text is for people: one line, cut where it is too long. From the loop; nothing blocks. */
void cg_notify_ready(struct cg_notify *notify, const char *format, ...) CG_PRINTF(2, 3); /* also after each reload */
void cg_notify_reloading(struct cg_notify *notify);
void cg_notify_stopping(struct cg_notify *notify, const char *format, ...) CG_PRINTF(2, 3);

#endif
