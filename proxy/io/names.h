/* The host names of group URIs and of next hops, looked up again and again while the gateway runs (R50). A literal
 * address never comes here.
 *
 * Of what a name resolves to, the first multicast address in the order of getaddrinfo counts (RFC 6724, and the host's
 * own gai.conf), of a next hop's name the first that is one host's; none is a refusal. When a look-up fails, the last
 * answer stays. */
#ifndef CG_IO_NAMES_H
#define CG_IO_NAMES_H

#include <uv.h>

#include "model/request.h"

#define CG_NAMES_ADDRESSES 16 /* looked at, of one name */

/* Looks one name up; may block, and runs on any thread. NULL: `found` has *count addresses. Else why there are none,
 * static text. */
typedef const char *(*cg_lookup_fn)(void *ctx, const char *host, struct cg_addr found[CG_NAMES_ADDRESSES],
                                    size_t *count);

struct cg_names_options {
    cg_lookup_fn lookup; /* NULL: getaddrinfo */
    void *ctx;
    uint32_t refresh_ms; /* between two look-ups of one name; 0: 60 s */
    uint32_t retry_ms;   /* the same while it has never been resolved; 0: 5 s */
};

struct cg_names;

/* NULL: out of memory. */
struct cg_names *cg_names_new(const struct cg_names_options *options);
/* Gives every target with a host name its struct cg_resolved, which lives as long as the table. Names that no target of
 * this snapshot has are not looked up any more. CG_E_NO_MEMORY: all is as before. */
int cg_names_attach(struct cg_names *names, struct cg_config *config, struct cg_problem *problem) CG_MUST_CHECK;

/* The same in three moves. The first on any thread, as long as nobody reserves anything meanwhile: it walks all
 * mappings. The others on the loop's: they cost by the different names that there are; a plan that is reserved and not
 * adopted changes nothing. The plan is freed in any case, after a failure, too. */
struct cg_names_plan;
int cg_names_plan(const struct cg_names *names, struct cg_config *config, struct cg_names_plan **plan,
                  struct cg_problem *problem) CG_MUST_CHECK;
int cg_names_reserve(struct cg_names *names, struct cg_names_plan *plan, struct cg_problem *problem) CG_MUST_CHECK;
void cg_names_adopt(struct cg_names *names, const struct cg_names_plan *plan);
void cg_names_plan_free(struct cg_names_plan *plan); /* NULL is fine */

/* Starts looking up on `uv`: at once, and whenever it is time. Calling it again after an attach looks all names up at
 * once. */
void cg_names_open(struct cg_names *names, uv_loop_t *uv);
/* From the loop. Waits for no look-up: what still runs ends by itself and touches nothing of the table. */
void cg_names_close(struct cg_names *names);
/* After the loop has ended, and after the last snapshot that was attached is gone. NULL is fine. */
void cg_names_free(struct cg_names *names);

#endif
