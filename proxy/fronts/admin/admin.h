/* The admin listener: what is asked without a token (/metrics in Prometheus' text, /healthz, /readyz, and the page at
 * /, page.h), and the REST side below /admin/v1 (route.h). */
#ifndef CG_FRONTS_ADMIN_ADMIN_H
#define CG_FRONTS_ADMIN_ADMIN_H

#include "exchange/gateway.h"
#include "fronts/http/server.h"
#include "io/worker.h"

struct cg_groups;
struct cg_admin;
struct cg_admin_who;
struct cg_discoveries;
struct cg_encoder_list;
struct cg_figures;
struct cg_handed;
struct cg_manage;
struct cg_mistakes;
struct cg_recorder;
struct cg_reports;

/* Who reads it: on loopback names of mappings are no news. */
enum cg_admin_reader { CG_ADMIN_STRANGER, CG_ADMIN_TRUSTED };

/* A member to be forgotten: the asker's, still until `done`. */
struct cg_admin_forget {
    char name[CG_ADDR_TEXT_MAX];                                                           /* as it is shown */
    size_t forgotten;                                                                      /* entries */
    void (*done)(struct cg_admin_forget *wish, int err, const struct cg_problem *problem); /* once, now or later */
};

/* What others know. */
struct cg_admin_source {
    struct cg_discoveries *discoveries;                      /* NULL: there are none */
    void (*forget)(void *ctx, struct cg_admin_forget *wish); /* a member; NULL: nobody is known */
    /* False: not. `said` gets lines for people: why not, and what else is amiss. May be NULL. */
    bool (*ready)(void *ctx, enum cg_admin_reader reader, struct cg_buf *said);
    /* Somebody has come in with that role; may be NULL. */
    void (*admin_seen)(void *ctx, const struct cg_admin_who *who);
    void (*metrics)(void *ctx, struct cg_buf *to); /* writes some more; may be NULL */
    /* Writes some members of a JSON object, for somebody of that role; may be NULL. */
    void (*put_system)(void *ctx, enum cg_role role, struct cg_buf *to);
    /* What should be known beside what the settings say themselves, in the form of mistakes with codes; may be NULL. */
    void (*warnings)(void *ctx, struct cg_mistakes *to);
    struct cg_groups *groups; /* security groups that are stored; NULL: none can be */
    void *ctx;
    struct cg_reports *reports;                                            /* of members, handed on; NULL: none */
    void (*put_report)(struct cg_buf *to, const struct cg_handed *handed); /* as JSON in one line */
    struct cg_manage *manage;                                              /* what is stored, and how it is changed */
    struct cg_recorder *recorder;           /* the exchanges that are looked at; NULL: there are none */
    struct cg_figures *figures;             /* how what there is is used; NULL: nobody counts */
    const struct cg_encoder_list *encoders; /* of replies to tries */
    struct cg_worker *worker;               /* for large bodies; NULL: there is none, and all is parsed at once */
};

/* Listens as the gateway's current settings say (admin.listen). `gateway` outlives it. NULL: *problem says why. */
struct cg_admin *cg_admin_open(uv_loop_t *uv, struct cg_gateway *gateway, const struct cg_admin_source *source,
                               struct cg_problem *problem);
/* As cg_front_http_reload, for admin.tls. */
int cg_admin_reload(struct cg_admin *admin, struct cg_problem *problem) CG_MUST_CHECK;
/* It answers while the gateway stops, /readyz with 503, until this. NULL is fine, on_closed (may be NULL) is then not
 * called. */
void cg_admin_close(struct cg_admin *admin, void (*on_closed)(void *ctx), void *ctx);

const struct cg_listen *cg_admin_listen(const struct cg_admin *admin, size_t index);

#endif
