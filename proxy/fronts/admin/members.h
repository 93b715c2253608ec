/* The members as the admin side shows them: those that are configured, in mappings and security groups, and those that
 * were heard, each once by its name, with where it is and what it belongs to. */
#ifndef CG_FRONTS_ADMIN_MEMBERS_H
#define CG_FRONTS_ADMIN_MEMBERS_H

#include <uv.h>

#include "exchange/gateway.h"

struct cg_admin_call;
struct cg_member_page;

/* Pages that are being made, in slices, for there may be very many members. */
struct cg_member_pages {
    struct cg_gateway *gateway;
    struct cg_member_page *all;
    uv_idle_t turn;
    void (*on_closed)(void *ctx);
    void *ctx;
};

void cg_member_pages_open(struct cg_member_pages *pages, uv_loop_t *uv, struct cg_gateway *gateway);
/* on_closed(ctx) says that the storage is the owner's again. */
void cg_member_pages_close(struct cg_member_pages *pages, void (*on_closed)(void *ctx), void *ctx);

/* Replies with one member as it is now, if nothing is configured or heard of it any more, too. */
enum cg_member_place { CG_MEMBER_HERE, CG_MEMBER_LOCATED /* the reply says where it is */ };
void cg_member_show(struct cg_admin_call *call, const char *name, uint16_t status, enum cg_member_place place);

#endif
