/* The admin listener around a real gateway and a real store, on a real loopback socket, and a client of it. The
 * settings have a client "boss" with the role admin and the token "secret", one "looker" with the role viewer and the
 * token "public", and a mapping "lamps". The catalogue validates as the program's does, and runs nothing. */
#ifndef FAKE_ADMIN_H
#define FAKE_ADMIN_H

#include "fake_client.h"
#include "fronts/admin/admin.h"
#include "manage/manage.h"

#define BOSS   "Authorization: Bearer secret\r\n"
#define LOOKER "Authorization: Bearer public\r\n"

struct fake_admin {
    uv_loop_t uv;
    struct cg_port port;
    struct cg_config *config;
    struct cg_gateway *gateway;
    struct cg_worker *worker, *disk;
    char folder[64];
    struct cg_catalogue catalogue;
    struct cg_proposal *proposal;
    uv_idle_t idle; /* in which a proposal is answered */
    struct cg_manage *manage;
    struct cg_admin *admin;
    unsigned closed;
};

int fake_admin_setup(void **state);
int fake_admin_teardown(void **state);
#define admin_test(test) cmocka_unit_test_setup_teardown(test, fake_admin_setup, fake_admin_teardown)

void fake_admin_connect(struct fake_admin *f, struct fake_client *client);
/* One request on a connection of its own; `fields`: header lines, "" for none; `body`: NULL for none, and it is JSON.
 */
struct fake_response fake_admin_ask(struct fake_admin *f, const char *method, const char *target, const char *fields,
                                    const char *body);
/* The same, for its status, and what its body has in it (NULL: nothing is asked of it). */
void fake_admin_expect(struct fake_admin *f, const char *method, const char *target, const char *fields,
                       const char *body, int status, const char *part);

#endif
