/* Requests to the admin API. */
#ifndef CG_TOOLS_CTL_CLIENT_H
#define CG_TOOLS_CTL_CLIENT_H

#include <jansson.h>

#include "base/buf.h"
#include "tools/ctl/options.h"

struct cg_ctl_client;

struct cg_ctl_request {
    const char *method;
    const char *path;     /* below /admin/v1/, with a query if need be */
    struct cg_slice body; /* JSON; empty: none */
    const char *if_match; /* an ETag; NULL: none */
};

struct cg_ctl_reply {
    long status;
    char content_type[64];
    struct cg_buf body;
    json_t *json; /* NULL: it is none */
};

/* Reads the token. NULL, with a sentence in `error`: it cannot be read or sent there. */
struct cg_ctl_client *cg_ctl_client_open(const struct cg_ctl_options *options, char error[CG_CTL_ERROR_MAX]);
void cg_ctl_client_close(struct cg_ctl_client *client); /* NULL is fine */

/* CG_OK: there is a reply, whatever its status. CG_E_BAD_REQUEST with a sentence: there is none. Free the reply in any
 * case. */
int cg_ctl_call(struct cg_ctl_client *client, const struct cg_ctl_request *request, struct cg_ctl_reply *reply,
                char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;
void cg_ctl_reply_fini(struct cg_ctl_reply *reply);

/* GET of what does not end: `line` has each line as it comes. Returns as cg_ctl_call, when the gateway ends it; a reply
 * that is not 200 is in `reply`. `last_event`: from which event on; "": from now on. */
typedef void cg_ctl_line_fn(void *ctx, struct cg_slice line);
int cg_ctl_follow(struct cg_ctl_client *client, const char *path, const char *last_event, cg_ctl_line_fn *line,
                  void *ctx, struct cg_ctl_reply *reply, char error[CG_CTL_ERROR_MAX]) CG_MUST_CHECK;

#endif
