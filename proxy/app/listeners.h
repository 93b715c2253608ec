/* Which listeners serve and which could not be had, as it was at the start: for /readyz and --status. Settings may have
 * changed since, listeners have not. */
#ifndef CG_APP_LISTENERS_H
#define CG_APP_LISTENERS_H

#include "base/buf.h"
#include "model/config.h"

enum cg_listener_security { CG_LISTENER_IS_PLAIN, CG_LISTENER_ENCRYPTS };

struct cg_listener_state {
    const char *front; /* static */
    char *at;          /* with the port that it has; as written, where it does not serve */
    enum cg_listener_security security;
    bool serves, insecure;
};

/* Zeroed: none. */
struct cg_listeners {
    struct cg_listener_state *list;
    size_t count;
};

/* `wanted` as the settings have it, `open` as it is (NULL: it could not be had). Without memory it is not noted. */
void cg_listeners_note(struct cg_listeners *listeners, const char *front, const struct cg_listen *wanted,
                       const struct cg_listen *open, enum cg_listener_security security);
void cg_listeners_fini(struct cg_listeners *listeners);

/* A line for each that does not serve; to strangers without its address. */
enum cg_listeners_names { CG_LISTENERS_COUNTED, CG_LISTENERS_NAMED };
void cg_listeners_put_missing(const struct cg_listeners *listeners, enum cg_listeners_names names, struct cg_buf *to);
void cg_listeners_put_json(const struct cg_listeners *listeners, struct cg_buf *to); /* an array */

#endif
